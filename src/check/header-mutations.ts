import { FORWARDED_HEADER, meshCredentialHeaders, sharedCredentialHeaders } from '../http/credentials.ts';
import type { Headers } from '../http/input.ts';
import type { Caller } from '../identity/caller.ts';
import type { Host, Target } from '../inventory/model.ts';
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

/** Those of them that are said of a caller, and of one in a task. */
const saidOfCaller = ['x-authz-caller', 'x-authz-decision'] as const;
const saidOfTask = ownHeaders;

const OWN_PREFIX = 'x-authz-';

/**
 * What travels on after an allow: inside the mesh all that we consumed, unless the host's `forward` list says
 * otherwise; an API key to nobody, whatever the list says; to an external host nothing of ours, the own headers included. An `authorization` and a proof that are the
 * application's stay; where the host leaves them to it, they are ours only if a credential of ours stood in them. What the
 * caller sent under any other name that begins as ours do is removed.
 */
export function headerMutations(
  { names }: Headers,
  { resource }: Target,
  caller: Caller,
  taskContext: TaskContext,
  taskHeaders: readonly string[],
  keyHeaders: readonly string[],
  decision: string,
): HeaderMutations {
  const { host, external } = resource;
  const consumed = caller.token === null ? taskContext.consumed : [...taskContext.consumed, 'authorization'];
  const said: readonly string[] = external ? [] : taskContext.task === null ? saidOfCaller : saidOfTask;
  const toCaller = taskContext.responseHeaders;
  const usual = usualRemovals(host, external, taskHeaders, keyHeaders, consumed, said);
  const more = names.filter((name) => name.startsWith(OWN_PREFIX) && !usual.includes(name) && !said.includes(name));
  const remove = more.length === 0 ? usual : [...usual, ...more];
  if (external) return { set: [], remove, toCaller };
  const set: [string, string][] = [
    ['x-authz-caller', caller.workload.id.text],
    ['x-authz-decision', decision],
  ];
  if (taskContext.task !== null) set.push(['x-authz-task', taskContext.task.id]);
  return { set, remove, toCaller };
}

/** What is removed from every request to the host that brings these credentials, whatever else it holds. */
function usualRemovals(
  host: Host,
  external: boolean,
  taskHeaders: readonly string[],
  keyHeaders: readonly string[],
  consumed: readonly string[],
  said: readonly string[],
): readonly string[] {
  let known = usual.get(host);
  if (known === undefined) {
    known = new Map();
    usual.set(host, known);
  }
  // The names of credential headers hold no blank, and there are five.
  const key = `${said.length} ${external} ${consumed.join(' ')} ${taskHeaders.join(' ')} ${keyHeaders.join(' ')}`;
  let removed = known.get(key);
  if (removed === undefined) {
    const shared = sharedCredentialHeaders.filter((name) => host.authorization === 'ours' || consumed.includes(name));
    const ours = [...meshCredentialHeaders, FORWARDED_HEADER, ...taskHeaders, ...shared];
    const { forward } = host;
    const stopped = forward === null ? [] : ours.filter((name) => !forward.includes(name));
    const all = [...(external ? [...ours, ...ownHeaders] : [...ownHeaders, ...stopped]), ...keyHeaders];
    removed = Object.freeze([...new Set(all)].filter((name) => !said.includes(name)));
    known.set(key, removed);
  }
  return removed;
}

/** By host, and by what stood in its requests. Hosts are those of one inventory. */
const usual = new WeakMap<Host, Map<string, readonly string[]>>();
