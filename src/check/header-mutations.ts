import { FORWARDED_HEADER, meshCredentialHeaders, sharedCredentialHeaders } from '../http/credentials.ts';
import type { Headers } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Target } from '../inventory/model.ts';
import type { TaskContext } from '../task/model.ts';

/** What an allow tells the upstream, and what it takes away from the request. */
export interface HeaderMutations {
  /** Headers that are set upstream; a client's own copies are overwritten. */
  readonly set: readonly (readonly [name: string, value: string])[];
  /** Headers that must not reach the upstream. Never one that is also set: Envoy removes after it sets. */
  readonly remove: readonly string[];
  /** Headers added to the response that the caller gets (DPoP-Nonce). */
  readonly toCaller: readonly (readonly [name: string, value: string])[];
}

/** Names that only this sidecar may say to an upstream. */
const ownHeaders = ['x-authz-caller', 'x-authz-task', 'x-authz-decision'] as const;

const OWN_PREFIX = 'x-authz-';

/**
 * What travels on after an allow: inside the mesh all that we consumed, unless the host's `forward` list says
 * otherwise; to an external host nothing of ours, the own headers included. An `authorization` and a proof that are the
 * application's stay; where the host leaves them to it, they are ours only if a credential of ours stood in them. What the
 * caller sent under any other name that begins as ours do is removed.
 */
export function headerMutations(
  { names }: Headers,
  { resource }: Target,
  caller: Caller,
  taskContext: TaskContext,
  taskHeaders: readonly string[],
  decision: string,
): HeaderMutations {
  const consumed = new Set([...taskContext.consumed, ...(caller.claims === null ? [] : ['authorization'])]);
  const shared = sharedCredentialHeaders.filter((name) => resource.host.authorization === 'ours' || consumed.has(name));
  const ours = [...meshCredentialHeaders, FORWARDED_HEADER, ...taskHeaders, ...shared];
  const own = [...ownHeaders, ...names.filter((name) => name.startsWith(OWN_PREFIX))];
  if (resource.external)
    return { set: [], remove: [...new Set([...ours, ...own])], toCaller: taskContext.responseHeaders };
  const set: [string, string][] = [
    ['x-authz-caller', caller.workload.id.text],
    ['x-authz-decision', decision],
  ];
  if (taskContext.task !== null) set.push(['x-authz-task', taskContext.task.id]);
  const said = new Set(set.map(([name]) => name));
  const { forward } = resource.host;
  const stopped = forward === null ? [] : ours.filter((name) => !forward.includes(name));
  return {
    set,
    remove: [...new Set([...own, ...stopped])].filter((name) => !said.has(name)),
    toCaller: taskContext.responseHeaders,
  };
}
