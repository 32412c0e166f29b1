import { Refusal } from '../outcome.ts';
import type { Answer, Engine, Slot } from './engine.ts';
import type { HopVerdict, Question, ShadowFinding } from './question.ts';
import type { DeclaredHeader } from './sources.ts';
import type { PolicyFacts, Vetted } from './vet.ts';
import { cedarCall, type Purposes } from './vocabulary.ts';

/** What a snapshot is built from, once its sources were vetted and its programs loaded. */
export interface SnapshotParts<I extends Purposes> {
  readonly revision: string;
  readonly inventory: I;
  readonly headers: readonly DeclaredHeader[];
  readonly vetted: Vetted;
  readonly engine: Engine;
  readonly enforced: Slot;
  /** Null when no policy is shadowed. */
  readonly shadowed: Slot | null;
}

/**
 * Schema, policies, inventory and the policy part of the config, checked and swapped as one. Immutable; everything that
 * one check reads of policy comes from one snapshot.
 */
export class Snapshot<I extends Purposes = Purposes> {
  /** `sha256:` and the hex digest over all sources: two decisions with one revision were judged alike. */
  readonly revision: string;
  readonly inventory: I;
  /** The headers that policies may read. */
  readonly headers: readonly DeclaredHeader[];
  readonly policies: readonly PolicyFacts[];
  readonly #parts: SnapshotParts<I>;
  readonly #approvals: ReadonlyMap<string, string>;
  #readsQuery: boolean | undefined;

  constructor(parts: SnapshotParts<I>) {
    this.revision = parts.revision;
    this.inventory = parts.inventory;
    this.headers = parts.headers;
    this.policies = parts.vetted.policies;
    this.#parts = parts;
    this.#approvals = new Map(
      parts.vetted.policies.flatMap(({ id, approval }) => (approval === null ? [] : [[id, approval]])),
    );
    Object.freeze(this);
  }

  /** Whether some policy may read `context.query`. The word anywhere in its text counts, so that none is missed. */
  get readsQuery(): boolean {
    const { enforced, shadowed } = this.#parts.vetted;
    this.#readsQuery ??= [enforced, shadowed].some((set) => Object.values(set).some((text) => /\bquery\b/.test(text)));
    return this.#readsQuery;
  }

  /**
   * Cedar's answer for one hop. `allow` only when Cedar allowed and no policy failed to evaluate: Cedar skips a policy
   * that fails, a forbid too, and would allow. Never throws.
   */
  decide(question: Question): HopVerdict {
    const { engine, enforced, shadowed, vetted, inventory } = this.#parts;
    const call = cedarCall(question, vetted.named, inventory);
    const answer = engine.ask(enforced, call);
    if (answer.kind !== 'answered') return unjudged(answer);
    const { reasons, errors } = answer;
    const result = errors.length > 0 ? 'error' : answer.decision;
    return {
      result,
      permits: answer.decision === 'allow' ? reasons : [],
      forbids: answer.decision === 'deny' ? reasons : [],
      errors,
      approvals: result === 'deny' ? this.#missingApprovals(reasons) : [],
      shadow: shadowed === null ? [] : shadowFindings(result, reasons, engine.ask(shadowed, call)),
      failure: null,
    };
  }

  /** The approvals that would lift a denial: none when some determining forbid asks for no approval. */
  #missingApprovals(forbids: readonly string[]): readonly string[] {
    const approvals = forbids.map((id) => this.#approvals.get(id));
    return approvals.includes(undefined) ? [] : [...new Set(approvals as string[])].toSorted();
  }
}

function unjudged(answer: Exclude<Answer, { kind: 'answered' }>): HopVerdict {
  const reason = answer.kind === 'invalid' ? 'policy_input_invalid' : 'internal';
  return {
    result: 'error',
    permits: [],
    forbids: [],
    errors: [],
    shadow: [],
    approvals: [],
    failure: new Refusal(reason, answer.message),
  };
}

/**
 * What the shadowed policies would have changed, were they enforced: a forbid an allow, a permit a denial that no forbid
 * made. An error would have refused. The second call can change nothing of the first.
 */
function shadowFindings(result: HopVerdict['result'], reasons: readonly string[], answer: Answer): ShadowFinding[] {
  if (answer.kind !== 'answered') return [];
  const errors = answer.errors.map(({ policy }): ShadowFinding => ({ policy, would: 'error' }));
  const changes =
    (answer.decision === 'deny' && result === 'allow') ||
    (answer.decision === 'allow' && result === 'deny' && reasons.length === 0);
  const would = answer.decision === 'allow' ? 'allow' : 'deny';
  return [...errors, ...(changes ? answer.reasons.map((policy): ShadowFinding => ({ policy, would })) : [])];
}
