import { createHash } from 'node:crypto';
import { bytesOfIds, Remembered, type RememberedLoad } from '../../base/remembered.ts';
import type { DeclaredHeader } from '../text/sources.ts';
import type { AuthorizationCall } from './call.ts';
import { authorizationCall, type PurposeHierarchy } from './cedar-request.ts';
import { Decider } from './decider.ts';
import type { Emergency } from './emergency.ts';
import { type Engine, type EngineAnswer, engineRefusal } from './engine.ts';
import { union } from './need.ts';
import { type HopVerdict, type Question, type ShadowMatch, TOUCHED_DECIDES, unjudged } from './question.ts';
import { QuestionKeys } from './question-key.ts';
import { NOTHING_TOUCHED, type TouchedNeed, touchedNeed } from './touched.ts';
import type { ApprovalTerms, PolicyFacts, ValidatedControl, ValidatedPolicies } from './validated.ts';

/** Bytes of keys and verdicts that are remembered by the question. */
const REMEMBERED_BYTES = 8 * 2 ** 20;

/** Whether the approvals that a caller lacks may be tried, which is work beside that of the check. */
export interface Trials {
  admits(caller: string, nowMs: number): boolean;
}

/** What a snapshot is built from, once its sources were validated. */
export interface SnapshotParts<I extends PurposeHierarchy> {
  readonly revision: string;
  readonly inventory: I;
  readonly headers: readonly DeclaredHeader[];
  readonly validated: ValidatedPolicies;
  readonly engine: Engine;
}

/**
 * Schema, policies, inventory and the policy part of the config, checked and swapped as one. Immutable; everything that
 * one check reads of policy comes from one snapshot.
 */
export class Snapshot<I extends PurposeHierarchy = PurposeHierarchy> {
  /** `sha256:` and the hex digest over all sources: two decisions with one revision were judged alike. */
  readonly revision: string;
  readonly inventory: I;
  /** The headers that policies may read. */
  readonly headers: readonly DeclaredHeader[];
  readonly policies: readonly PolicyFacts[];
  /** The control policies; null where there are none. */
  readonly control: ValidatedControl | null;
  /** What policies can learn of what was opened before. */
  readonly touched: TouchedNeed;
  /** The enforced policies that read what was noticed about the caller. */
  readonly readingBehaviour: ReadonlySet<string>;
  readonly #parts: SnapshotParts<I>;
  readonly #enforced: Decider;
  /** Null when no policy is shadowed. */
  readonly #shadowed: Decider | null;
  readonly #approvals: ReadonlyMap<string, string>;
  readonly #effects: ReadonlyMap<string, PolicyFacts['effect']>;
  readonly #keys: QuestionKeys | null;
  readonly #verdicts: Remembered<HopVerdict>;
  readonly #emergency: Emergency | null;
  #readsQuery: boolean | undefined;

  /** `beside`: the snapshot that this one is with other emergency forbids. What was parsed and remembered is shared. */
  constructor(parts: SnapshotParts<I>, beside: readonly [Snapshot<I>, Emergency] | null = null) {
    const [same, emergency] = beside ?? [null, null];
    this.#emergency = emergency;
    this.revision = emergency === null ? parts.revision : revisionBeside(parts.revision, emergency);
    this.inventory = parts.inventory;
    this.headers = parts.headers;
    this.policies = parts.validated.policies;
    this.control = parts.validated.control;
    this.#parts = parts;
    const { schema, footprints, actionGroups: groups, enforced, shadowed } = parts.validated;
    const decider = (policies: ValidatedPolicies['enforced']) =>
      new Decider(parts.engine, { schema, policies, footprints, groups });
    const none = Object.keys(shadowed).length === 0;
    this.#enforced = same === null ? decider(enforced) : same.#enforced;
    this.#shadowed = same === null ? (none ? null : decider(shadowed)) : same.#shadowed;
    this.#verdicts = same === null ? new Remembered<HopVerdict>(REMEMBERED_BYTES, bytesOf) : same.#verdicts;
    this.#approvals = new Map(
      parts.validated.policies.flatMap(({ id, approval }) => (approval === null ? [] : [[id, approval]])),
    );
    this.#effects = new Map(parts.validated.policies.map(({ id, effect }) => [id, effect]));
    const ids = [...Object.keys(enforced), ...Object.keys(shadowed)];
    const read = union(ids.map((id) => footprints.get(id)?.footprint ?? null));
    this.touched = touchedNeed(read);
    this.readingBehaviour = new Set(
      Object.keys(enforced).filter((id) => {
        const reads = footprints.get(id)?.footprint?.context.fields;
        return reads?.has('risk') || reads?.has('signals');
      }),
    );
    this.#keys = same === null ? QuestionKeys.of(read, parts.validated.named) : same.#keys;
    Object.freeze(this);
  }

  /** The same policies with these emergency forbids beside them: another revision, since it decides otherwise. */
  beside(emergency: Emergency): Snapshot<I> {
    return new Snapshot(this.#parts, [this, emergency]);
  }

  /** How full the memories of verdicts are together: by the question, and by the projected call. */
  get load(): RememberedLoad {
    const loads = [this.#verdicts.load, this.#enforced.load, ...(this.#shadowed === null ? [] : [this.#shadowed.load])];
    const sum = (of: keyof RememberedLoad) => loads.reduce((total, load) => total + load[of], 0);
    return { entries: sum('entries'), bytes: sum('bytes'), byteLimit: sum('byteLimit') };
  }

  /** Has the engine parse the policies, a piece each: null, or why it could not. */
  *prepare(): Generator<string | null> {
    yield* this.#enforced.prepare();
    if (this.#shadowed !== null) yield* this.#shadowed.prepare();
    if (this.control !== null) yield this.#parts.engine.prepare(this.control);
  }

  /** Cedar's answer of the control policies; null where there are none. Never throws. */
  askControl(call: AuthorizationCall): EngineAnswer | null {
    return this.control === null ? null : this.#parts.engine.ask(this.control, call);
  }

  /** What a grant of these approvals is good for: the strictest of what policies say that ask for them; null where none asks for one. */
  approvalTerms(names: readonly string[]): ApprovalTerms | null {
    const asking = this.policies.filter(({ approval, shadow }) => !shadow && names.includes(approval ?? ''));
    if (names.length === 0 || !names.every((name) => asking.some(({ approval }) => approval === name))) return null;
    const all = asking.map(({ terms }) => terms);
    const quorum = all.some((terms) => terms.quorum === 2) ? 2 : 1;
    const [uses, forMs] = [all.map((terms) => terms.uses), all.map((terms) => terms.forMs)];
    return { quorum, uses: Math.min(...uses), forMs: Math.min(...forMs) };
  }

  /** Whether some policy may read `context.query`. The word anywhere in its text counts, so that none is missed. */
  get readsQuery(): boolean {
    const { enforced, shadowed } = this.#parts.validated;
    this.#readsQuery ??= [enforced, shadowed].some((set) => Object.values(set).some((text) => /\bquery\b/.test(text)));
    return this.#readsQuery;
  }

  /**
   * Cedar's answer for one hop. `allow` only when Cedar allowed and no policy failed to evaluate: Cedar skips a policy
   * that fails, a forbid too, and would allow. `TOUCHED_DECIDES` where the question was asked without what was opened before, and
   * the answer needs that. Never throws.
   */
  decide(question: Question, trials: Trials | null = null): HopVerdict {
    const urgent = this.#emergency === null ? null : this.#emergency.denial(question, this.inventory);
    if (urgent !== null) return urgent;
    const key = this.#keys?.of(question) ?? null;
    const known = key === null ? undefined : this.#verdicts.get(key);
    if (known !== undefined) return known;
    const { verdict, lasting } = this.#judge(question, trials);
    if (key !== null && lasting) this.#verdicts.set(key, verdict);
    return verdict;
  }

  /** `lasting`: Cedar answered whatever it was asked, and no policy failed to evaluate. */
  #judge(asked: Question, trials: Trials | null): { readonly verdict: HopVerdict; readonly lasting: boolean } {
    const unread = asked.touched === null;
    if (unread && this.touched.read === 'always') return NEEDS_TOUCHED;
    // Nobody can tell: any value will do.
    const question = unread && this.touched.read === 'never' ? { ...asked, touched: NOTHING_TOUCHED } : asked;
    const call = this.#call(question);
    const answer = this.#enforced.ask(call);
    if (answer.kind === 'unread') return NEEDS_TOUCHED;
    if (answer.kind !== 'answered') return { verdict: unjudged(engineRefusal(answer)), lasting: false };
    const { reasons, errors } = answer;
    const result = errors.length > 0 ? 'error' : answer.decision;
    const lifted = result === 'deny' ? this.#missingApprovals(question, reasons, trials) : [];
    const shadow = this.#shadowed === null ? null : this.#shadowed.ask(call);
    if (lifted === 'unread' || shadow?.kind === 'unread') return NEEDS_TOUCHED;
    const verdict = Object.freeze({
      result,
      permits: answer.decision === 'allow' ? reasons : [],
      forbids: answer.decision === 'deny' ? reasons : [],
      errors,
      approvals: lifted ?? [],
      shadow: shadow === null ? [] : this.#shadowMatches(shadow),
      failure: null,
    });
    const lasting = errors.length === 0 && lifted !== null && (shadow === null || isSound(shadow));
    return { verdict, lasting };
  }

  #call(question: Question): AuthorizationCall {
    const { validated, inventory } = this.#parts;
    return authorizationCall(question, validated.named, inventory);
  }

  /**
   * The approvals with which the request would be allowed. None when some determining forbid asks for no approval; and
   * Cedar names no permits beside a forbid, so it is asked once more, with the approvals, whether a permit covers. Null where
   * that could not be told, or was not tried.
   */
  #missingApprovals(
    question: Question,
    forbids: readonly string[],
    trials: Trials | null,
  ): readonly string[] | 'unread' | null {
    const wanted = forbids.map((id) => this.#approvals.get(id));
    if (wanted.length === 0 || wanted.includes(undefined)) return [];
    const missing = [...new Set(wanted as string[])].toSorted();
    if (trials?.admits(question.chain.at(-1)!.id.text, question.now) === false) return null;
    const approvals = new Set([...question.approvals, ...missing]);
    const lifted = this.#enforced.ask(this.#call({ ...question, approvals }));
    if (lifted.kind === 'unread') return 'unread';
    if (!isSound(lifted)) return null;
    return lifted.decision === 'allow' ? missing : [];
  }

  /** Every shadowed policy that applies or fails. The second call can change nothing of what is enforced. */
  #shadowMatches(answer: EngineAnswer): readonly ShadowMatch[] {
    if (answer.kind !== 'answered') return [];
    return [
      ...answer.reasons.map((policy): ShadowMatch => ({ policy, effect: this.#effects.get(policy) ?? 'permit' })),
      ...answer.errors.map(({ policy }): ShadowMatch => ({ policy, effect: 'error' })),
    ];
  }
}

const revisionBeside = (revision: string, { digest }: Emergency): string =>
  `sha256:${createHash('sha256').update(`${revision} ${digest}`).digest('hex')}`;

const NEEDS_TOUCHED = { verdict: TOUCHED_DECIDES, lasting: true };

const isSound = (answer: EngineAnswer): answer is Extract<EngineAnswer, { kind: 'answered' }> =>
  answer.kind === 'answered' && answer.errors.length === 0;

const bytesOf = ({ permits, forbids, approvals, shadow }: HopVerdict): number =>
  bytesOfIds([...permits, ...forbids, ...approvals, ...shadow.map(({ policy }) => policy)]) + 200;
