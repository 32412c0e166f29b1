import { isIP } from 'node:net';
import { bytesOfIds, Remembered, type RememberedLoad } from '../../base/remembered.ts';
import { type AuthorizationCall, type EntityUid, unrepresentable } from './call.ts';
import type { Engine, EngineAnswer, PolicyJson, Program } from './engine.ts';
import { type Footprint, keyOf, union } from './need.ts';
import { type ActionGroups, type Projector, project, projector } from './project.ts';
import { isUnread } from './touched.ts';
import { unboundedPlaces } from './unbounded.ts';

/** Policies that hold together, with what a decider needs to know of each. Plain data: it comes from a worker. */
export interface PolicySet {
  readonly schema: string;
  readonly policies: Readonly<Record<string, string>>;
  readonly footprints: ReadonlyMap<string, PolicyFootprint>;
  readonly groups: ActionGroups;
}

/** What one policy can learn of a call, and the entity without which its scope does not match. */
export interface PolicyFootprint {
  /** Null: not understood. Such a policy is asked with whole calls. */
  readonly footprint: Footprint | null;
  /** The scope's `==` or `in` of the principal, else of the resource, by `keyOf`; null where the scope is open. */
  readonly scope: { readonly of: 'principal' | 'resource'; readonly key: string } | null;
}

/** Bytes of keys and verdicts that are remembered of one set of policies; two generations of half of it each. */
export const REMEMBERED_BYTES = 16 * 2 ** 20;
/**
 * Policies without a scope are asked in parts of so many, so that no part holds the thread long when it is parsed (75 µs a
 * policy); of so many at the most, beyond which parts would push one another out of the engine.
 */
const [PART, MOST_IN_PARTS] = [400, 2000];
/** Slices of policies with a scope that are kept. */
const SLICES = 256;

/** The entity in the scope of a policy, by which it is found. */
export function scopeOf(policy: PolicyJson): PolicyFootprint['scope'] {
  for (const side of ['principal', 'resource'] as const) {
    const { op, entity, in: within } = policy[side] as { op: string; entity?: EntityUid; in?: { entity?: EntityUid } };
    const uid = entity ?? within?.entity;
    if (uid !== undefined && ['==', 'in', 'is'].includes(op)) return { of: side, key: keyOf(uid.type, uid.id) };
  }
  return null;
}

/** Texts that Cedar takes as a `datetime` and an `ip`. Others are refused by the schema, also where no policy reads them. */
function holdsExtensions({ context: { now, client } }: AuthorizationCall): boolean {
  if (typeof now !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(now)) return false;
  return client === undefined || (typeof client === 'string' && isIP(client) > 0 && !client.includes('%'));
}

/** There is no answer without what was opened before. */
export interface Unread {
  readonly kind: 'unread';
}

type Answered = Extract<EngineAnswer, { kind: 'answered' }>;

/**
 * Cedar's answer about one set of policies. Those whose scope cannot match are left out (a scope that does not match ends
 * the evaluation, so none of them could have failed), the call is cut down to what the others can learn of it, and the
 * verdict about what remains is remembered. Whatever is not understood, and whatever fails to evaluate, is asked whole,
 * with the schema. The answer is always one that Cedar gave.
 */
export class Decider {
  readonly #engine: Engine;
  readonly #set: PolicySet;
  /** Policies without a scope: one part at least. */
  readonly #common: readonly Slice[];
  /** Policies with a scope, by the entity in it. */
  readonly #byPrincipal = new Map<string, string[]>();
  readonly #byResource = new Map<string, string[]>();
  readonly #own = new Map<string, readonly Slice[]>();
  readonly #verdicts = new Remembered<Answered>(REMEMBERED_BYTES, ({ reasons }) => bytesOfIds(reasons));
  #slices = 0;

  constructor(engine: Engine, set: PolicySet) {
    this.#engine = engine;
    this.#set = set;
    const open: string[] = [];
    for (const id of Object.keys(set.policies)) {
      const scope = set.footprints.get(id)?.scope ?? null;
      if (scope === null) open.push(id);
      else append(scope.of === 'principal' ? this.#byPrincipal : this.#byResource, scope.key, id);
    }
    this.#common = open.length === 0 ? [this.#slice([])] : this.#slicesOf(open);
  }

  /** How full the memory of verdicts is. */
  get load(): RememberedLoad {
    return this.#verdicts.load;
  }

  /** Parses what every call needs, a piece each: null, or why that could not be done. */
  *prepare(): Generator<string | null> {
    for (const { whole, program } of this.#common) {
      yield this.#engine.prepare(whole);
      yield this.#engine.prepare(program);
    }
  }

  /**
   * One decision. `invalid` when the call cannot be represented or does not fit the schema; `unread` when it holds nothing of what
   * was opened before, and some policy may need that.
   */
  ask(call: AuthorizationCall): EngineAnswer | Unread {
    const fault = unrepresentable(call);
    if (fault !== null) return { kind: 'invalid', message: fault };
    const slices = [...this.#common, ...this.#ownSlices(call)];
    return this.#judged(slices, call) ?? (isUnread(call.context) ? { kind: 'unread' } : this.#whole(slices, call));
  }

  /** The answer by what is remembered, or asked for, of the parts; null where the whole call has to be asked. */
  #judged(slices: readonly Slice[], call: AuthorizationCall): Answered | null {
    if (!holdsExtensions(call)) return null;
    const answers: Answered[] = [];
    for (const slice of slices) {
      const answer = this.#judge(slice, call);
      if (answer === null) return null;
      answers.push(answer);
    }
    return together(answers);
  }

  /** The answer of the parts to the whole call. */
  #whole(slices: readonly Slice[], call: AuthorizationCall): EngineAnswer {
    const answers: Answered[] = [];
    for (const { whole } of slices) {
      const answer = this.#engine.ask(whole, call);
      if (answer.kind !== 'answered') return answer;
      answers.push(answer);
    }
    return together(answers);
  }

  /** Cedar's answer about a slice; null where the whole call has to be asked. */
  #judge(slice: Slice, call: AuthorizationCall): Answered | null {
    if (slice.projector === null) return null;
    const { key, lasting } = project(call, slice.projector, this.#set.groups);
    const name = `${slice.number} ${key}`;
    const known = this.#verdicts.get(name);
    if (known !== undefined) return known;
    const answer = this.#engine.ask(slice.program, JSON.parse(key) as AuthorizationCall);
    // Messages of errors name entities, so they are asked for anew.
    if (answer.kind !== 'answered' || answer.errors.length > 0) return null;
    if (lasting) this.#verdicts.set(name, answer);
    return answer;
  }

  /** The policies whose scope names this principal or resource, or an ancestor of it. */
  #ownSlices(call: AuthorizationCall): readonly Slice[] {
    const ids: string[] = [];
    for (const [uid, index] of [
      [call.principal, this.#byPrincipal],
      [call.resource, this.#byResource],
    ] as const) {
      if (index.size === 0) continue;
      const parents = call.entities.find((one) => one.uid.id === uid.id && one.uid.type === uid.type)?.parents ?? [];
      for (const one of new Set([uid, ...parents].map(({ type, id }) => keyOf(type, id)))) {
        const found = index.get(one);
        if (found !== undefined) ids.push(...found);
      }
    }
    if (ids.length === 0) return [];
    const name = JSON.stringify(ids);
    let slices = this.#own.get(name);
    if (slices === undefined) {
      slices = this.#slicesOf(ids);
      const [oldest] = this.#own.keys();
      if (this.#own.size >= SLICES && oldest !== undefined) this.#own.delete(oldest);
    } else this.#own.delete(name);
    this.#own.set(name, slices);
    return slices;
  }

  /**
   * The policies in parts. Those that make a verdict of each path or query are asked apart from the others, whose verdict is
   * remembered all the while.
   */
  #slicesOf(ids: readonly string[]): readonly Slice[] {
    const size = ids.length > MOST_IN_PARTS ? ids.length : PART;
    const groups = Object.values(Object.groupBy(ids, (id) => String(this.#isUnbounded(id))));
    return groups.flatMap((group = []) =>
      Array.from({ length: Math.ceil(group.length / size) }, (_, at) =>
        this.#slice(group.slice(at * size, (at + 1) * size)),
      ),
    );
  }

  #isUnbounded(id: string): boolean {
    const footprint = this.#set.footprints.get(id)?.footprint ?? null;
    return footprint === null || unboundedPlaces(footprint).length > 0;
  }

  #slice(ids: readonly string[]): Slice {
    const { schema, policies, footprints } = this.#set;
    const footprint = union(ids.map((id) => footprints.get(id)?.footprint ?? null));
    const texts = Object.fromEntries(ids.map((id) => [id, policies[id]!]));
    return {
      number: this.#slices++,
      program: { schema: null, policies: texts },
      whole: { schema, policies: texts },
      projector: footprint === null ? null : projector(footprint),
    };
  }
}

/** Policies whose verdicts are remembered together. */
interface Slice {
  /** Never that of another slice, so that a verdict of one is none of another. */
  readonly number: number;
  /** These policies, for a projected call. */
  readonly program: Program;
  /** The same, for a whole call. */
  readonly whole: Program;
  readonly projector: Projector | null;
}

/** What sets of policies say together: Cedar's rule over their union. */
function together(answers: readonly Answered[]): Answered {
  const [only, ...others] = answers;
  if (only !== undefined && others.length === 0) return only;
  const denials = answers.filter(({ decision, reasons }) => decision === 'deny' && reasons.length > 0);
  const decided = denials.length > 0 ? denials : answers.filter(({ decision }) => decision === 'allow');
  const reasons = decided.flatMap((answer) => answer.reasons).toSorted();
  const errors = answers.flatMap((answer) => answer.errors).toSorted((a, b) => (a.policy < b.policy ? -1 : 1));
  return { kind: 'answered', decision: decided[0]?.decision ?? 'deny', reasons, errors };
}

function append(index: Map<string, string[]>, key: string, id: string): void {
  const ids = index.get(key);
  if (ids === undefined) index.set(key, [id]);
  else ids.push(id);
}
