import { Refusal } from '../base/outcome.ts';
import { SpiffeId } from '../base/spiffe-id.ts';
import { isJsonObject, type JsonObject } from '../base/strict-json.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { TaskToken } from './task-token.ts';

const ACT_MEMBERS: ReadonlySet<string> = new Set(['sub', 'iss', 'act']);

/** The workloads that a token names. */
export interface NamedWorkloads {
  /** The chain as the token has it: originator first, the one that it was issued to last. Empty: it names no workload. */
  readonly chain: readonly SpiffeId[];
  /** Further workloads that it names: each must stand in the chain. */
  readonly others: readonly SpiffeId[];
}

type Names = Pick<Inventory, 'credential'>;

/**
 * The workloads that a verified token names: by a SPIFFE ID, or by an opaque name that the inventory's credentials map.
 * `act` (RFC 8693 section 4.1) decides if it is there: nested actors are earlier, and a workload in `sub` is the
 * originator. Else the first of `req_wl`, `client_id` and `sub` that is there decides; one that names no known workload
 * leaves the token without a name rather than let the next one speak. At most `maxDepth` actors are read. Refusals:
 * `chain_malformed`, `chain_too_deep`, `chain_unregistered`.
 */
export function namedWorkloads(token: TaskToken, known: Names, maxDepth: number): NamedWorkloads | Refusal {
  const { claims, issuer } = token;
  const name = (text: string, by: string = issuer) => workloadOf(text, by, known);
  const subject = name(token.subject);
  if (subject instanceof Refusal) return subject;
  const holders: (SpiffeId | null)[] = [];
  for (const member of ['req_wl', 'client_id']) {
    const text = claims[member];
    if (text === undefined) continue;
    if (typeof text !== 'string') return new Refusal('chain_malformed', `${member} is not a string`);
    const holder = name(text);
    if (holder instanceof Refusal) return holder;
    holders.push(holder);
  }
  if (claims.act === undefined) {
    const decisive = holders.length > 0 ? holders[0]! : subject;
    return { chain: present([decisive]), others: present([...holders, subject]) };
  }
  const actors = readActors(claims.act, name, maxDepth);
  if (actors instanceof Refusal) return actors;
  const chain = actors.toReversed();
  if (subject !== null && subject.text !== chain[0]?.text) chain.unshift(subject);
  return { chain, others: present(holders) };
}

/** The actors of nested `act` claims, the current one first. */
function readActors(
  outermost: JsonObject[string],
  name: (text: string, by?: string) => SpiffeId | null | Refusal,
  maxDepth: number,
): SpiffeId[] | Refusal {
  const actors: SpiffeId[] = [];
  let act: JsonObject[string] | undefined = outermost;
  for (; act !== undefined; act = act.act) {
    if (!isJsonObject(act)) return new Refusal('chain_malformed', 'act is not an object');
    const unknown = Object.keys(act).find((member) => !ACT_MEMBERS.has(member));
    if (unknown !== undefined)
      return new Refusal(
        'chain_malformed',
        `act holds ${JSON.stringify(unknown.slice(0, 32))}, which is not understood`,
      );
    if (actors.length === maxDepth) return new Refusal('chain_too_deep', `more than ${maxDepth} actors`);
    const { sub, iss } = act;
    if (typeof sub !== 'string') return new Refusal('chain_malformed', 'sub of an actor is not a string');
    if (iss !== undefined && typeof iss !== 'string')
      return new Refusal('chain_malformed', 'iss of an actor is not a string');
    if (iss !== undefined && sub.startsWith('spiffe://'))
      return new Refusal('chain_malformed', 'an actor has both an iss and a SPIFFE ID, which needs none');
    const actor = name(sub, iss);
    if (actor instanceof Refusal) return actor;
    if (actor === null) return new Refusal('chain_unregistered', 'an actor is no workload of the inventory');
    actors.push(actor);
  }
  return actors;
}

/** null: no workload. What looks like a SPIFFE ID must be one. */
function workloadOf(text: string, issuer: string, known: Names): SpiffeId | null | Refusal {
  if (!/^spiffe:/i.test(text)) return known.credential(issuer, text);
  const id = SpiffeId.parse(text);
  if (id instanceof Refusal) return new Refusal('chain_malformed', `a SPIFFE ID of the token: ${id.detail}`);
  if (id.path === '') return new Refusal('chain_malformed', 'a SPIFFE ID of the token names a trust domain');
  return id;
}

const present = (ids: readonly (SpiffeId | null)[]): SpiffeId[] => ids.filter((id) => id !== null);
