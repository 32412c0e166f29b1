import { createHash } from 'node:crypto';
import { Refusal } from '../../base/outcome.ts';
import { authorizationCall, type NamedEntities, type PurposeHierarchy } from './cedar-request.ts';
import { Decider, type PolicyFootprint } from './decider.ts';
import { type Engine, engineRefusal } from './engine.ts';
import type { ActionGroups } from './project.ts';
import { type HopVerdict, type Question, unjudged } from './question.ts';
import { NOTHING_TOUCHED } from './touched.ts';

/** A forbid of the folder `emergency/`, judged by itself. */
export interface EmergencyPolicy {
  readonly id: string;
  readonly file: string;
  readonly text: string;
  /** Milliseconds since the epoch: from then on it forbids nothing. */
  readonly untilMs: number;
  readonly footprint: PolicyFootprint;
  readonly named: NamedEntities;
}

/** The schema that they are judged against. */
export interface EmergencySchema {
  readonly text: string;
  readonly groups: ActionGroups;
}

/** Begins the name of such a forbid wherever a decision names it: no other policy has a slash in its id. */
export const EMERGENCY = 'emergency/';

/** Forbids that hold beside whatever snapshot is served. Immutable. */
export class Emergency {
  readonly policies: readonly EmergencyPolicy[];
  /** Hex digest of all that they say. */
  readonly digest: string;
  readonly #decider: Decider;
  readonly #named: NamedEntities;

  constructor(policies: readonly EmergencyPolicy[], schema: EmergencySchema, engine: Engine) {
    this.policies = policies;
    const said = policies.map(({ id, text }) => [id, text]);
    this.digest = createHash('sha256').update(JSON.stringify(said)).digest('hex');
    this.#named = namedByAll(policies);
    this.#decider = new Decider(engine, {
      schema: schema.text,
      policies: Object.fromEntries(policies.map(({ id, text }) => [id, text])),
      footprints: new Map(policies.map(({ id, footprint }) => [id, footprint])),
      groups: schema.groups,
    });
  }

  /** Has the engine parse them, a piece each: null, or why it could not. */
  prepare(): Generator<string | null> {
    return this.#decider.prepare();
  }

  /**
   * The denial of a hop that one of them forbids, or about which one of them fails to evaluate; null where none does. No
   * approval lifts it. Never throws.
   */
  denial(question: Question, purposes: PurposeHierarchy): HopVerdict | null {
    // None of them reads what was opened before, so that any value will do.
    const asked = question.touched === null ? { ...question, touched: NOTHING_TOUCHED } : question;
    const answer = this.#decider.ask(authorizationCall(asked, this.#named, purposes));
    if (answer.kind === 'unread') return unjudged(new Refusal('internal', 'what was opened before decides'));
    if (answer.kind !== 'answered') return unjudged(engineRefusal(answer));
    const { reasons, errors } = answer;
    if (reasons.length === 0 && errors.length === 0) return null;
    return Object.freeze({
      result: errors.length > 0 ? 'error' : 'deny',
      permits: [],
      forbids: reasons.map((id) => `${EMERGENCY}${id}`),
      errors: errors.map(({ policy, message }) => ({ policy: `${EMERGENCY}${policy}`, message })),
      shadow: [],
      approvals: [],
      failure: null,
    });
  }
}

function namedByAll(policies: readonly EmergencyPolicy[]): NamedEntities {
  const all = new Map<string, Set<string>>();
  for (const { named } of policies)
    for (const [type, ids] of named) all.set(type, (all.get(type) ?? new Set()).union(ids));
  return all;
}
