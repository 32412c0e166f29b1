import { Refusal } from '../base/outcome.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { refusalOf } from '../policy/decide/permit.ts';
import { type ShadowFinding, shadowFindings } from '../policy/decide/shadow.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import { questionsFor } from '../policy/load/scenario.ts';
import { type Audited, readAudited, type Unjudged } from './audited.ts';
import { reopening } from './reopened.ts';

/** What policies say of a request. */
export interface Verdict {
  readonly result: 'allow' | 'deny';
  readonly reason: string;
  /** The deciding policies, sorted. */
  readonly by: readonly string[];
}

/** Past decisions that would change in the same way. */
export interface Change {
  readonly caller: string;
  readonly action: string;
  /** The innermost api, or the resource where no api names it. */
  readonly what: string;
  /** No reason where the line does not tell it: what policies said was only observed, and something else refused. */
  readonly before: Audited['verdict'];
  readonly now: Verdict;
  readonly count: number;
  /** The first of them. */
  readonly decision: string;
}

/** Decisions that a shadowed policy would have turned, were it alone enforced too. */
export interface ShadowChange extends ShadowFinding {
  readonly count: number;
}

/** Past refusals for one reason, by what an inventory said, that another inventory lifts. */
export interface Opening {
  readonly reason: string;
  readonly detail: string;
  readonly count: number;
  /** The first of them. */
  readonly decision: string;
}

export interface Replay {
  /** Decisions that were judged again. */
  readonly judged: number;
  /** Those of them that were judged by exactly these policies, inventory and settings. */
  readonly sameRevision: number;
  readonly changes: readonly Change[];
  /** Changes among decisions of the same revision: the line does not hold all that decided. */
  readonly inexact: number;
  readonly shadow: readonly ShadowChange[];
  /** Refusals that came before policies, and that this inventory would not make: what follows is not known. */
  readonly opened: readonly Opening[];
  /** Those of which their lines do not tell whether this inventory would make them, by their reasons. */
  readonly untold: Readonly<Record<string, number>>;
  /** Lines that could not be judged again, by why. */
  readonly left: Readonly<Record<Unjudged['why'], number>>;
  /** The first line that could not be read, counted from 1, and why. */
  readonly unreadable: { readonly line: number; readonly reason: string } | null;
}

/** Judges the decisions of an audit again, one line after the other, in memory that grows with the kinds of change only. */
export class Replayer {
  readonly #snapshot: Snapshot<Inventory>;
  readonly #changes = new Map<string, Change>();
  readonly #shadow = new Map<string, ShadowChange>();
  readonly #opened = new Map<string, Opening>();
  readonly #untold: Record<string, number> = {};
  readonly #left: Record<Unjudged['why'], number> = {
    'no check': 0,
    unreadable: 0,
    'before policy': 0,
    'not exact': 0,
  };
  #unreadable: Replay['unreadable'] = null;
  #lines = 0;
  #judged = 0;
  #sameRevision = 0;
  #inexact = 0;

  constructor(snapshot: Snapshot<Inventory>) {
    this.#snapshot = snapshot;
  }

  /** The next line of the audit; an empty one tells nothing. */
  add(line: string): void {
    this.#lines++;
    if (line === '') return;
    const audited = readAudited(line, this.#snapshot);
    if ('why' in audited) {
      this.#left[audited.why]++;
      this.#reopen(audited);
      if (audited.why === 'unreadable') this.#unreadable ??= { line: this.#lines, reason: audited.reason };
      return;
    }
    this.#judged++;
    const same = audited.revision === this.#snapshot.revision;
    if (same) this.#sameRevision++;
    const { verdict: now, action, what } = this.#judge(audited);
    const { result, reason } = audited.verdict;
    if (result === now.result && (reason === now.reason || reason === null)) return;
    if (same) this.#inexact++;
    const { caller, decision } = audited;
    const change = { caller, action, what, before: { result, reason }, now, count: 1, decision };
    const key = JSON.stringify([caller, action, what, result, reason, now]);
    const known = this.#changes.get(key);
    this.#changes.set(key, known === undefined ? change : { ...known, count: known.count + 1 });
  }

  result(): Replay {
    return {
      judged: this.#judged,
      sameRevision: this.#sameRevision,
      changes: [...this.#changes.values()].toSorted((a, b) => b.count - a.count),
      inexact: this.#inexact,
      opened: [...this.#opened.values()].toSorted((a, b) => b.count - a.count),
      untold: this.#untold,
      shadow: [...this.#shadow.values()].toSorted((a, b) => b.count - a.count),
      left: this.#left,
      unreadable: this.#unreadable,
    };
  }

  #reopen({ refused, decision }: Unjudged): void {
    const { revision, inventory } = this.#snapshot;
    if (refused === undefined || refused.revision === revision) return;
    const { reason, detail } = refused;
    const now = reopening(refused, inventory);
    if (now === 'untold') this.#untold[reason] = (this.#untold[reason] ?? 0) + 1;
    if (now !== 'opened') return;
    const key = `${reason} ${detail}`;
    const known = this.#opened.get(key) ?? { reason, detail, count: 0, decision: decision ?? '' };
    this.#opened.set(key, { ...known, count: known.count + 1 });
  }

  #judge({ stated }: Audited): { readonly verdict: Verdict; readonly action: string; readonly what: string } {
    const { inventory, headers } = this.#snapshot;
    const questions = questionsFor(stated, inventory, headers);
    const line = typeof stated.request === 'object' ? stated.request : null;
    const asked = { action: line?.method ?? '', what: `${line?.host ?? ''}${line?.path ?? ''}` };
    // A name that is no longer known: the caller, a workload of the chain, or the purpose.
    if (typeof questions === 'string') return { ...asked, verdict: { result: 'deny', reason: questions, by: [] } };
    if (questions instanceof Refusal) {
      return { ...asked, verdict: { result: 'deny', reason: questions.reason, by: [] } };
    }
    const verdicts = questions.map((question) => this.#snapshot.decide(question));
    for (const { policy, would } of shadowFindings(verdicts)) {
      const key = `${policy} ${would}`;
      this.#shadow.set(key, { policy, would, count: (this.#shadow.get(key)?.count ?? 0) + 1 });
    }
    const refusal = refusalOf(verdicts);
    const by = verdicts.flatMap((verdict) => (refusal === null ? verdict.permits : verdict.forbids));
    const target = questions[0]?.target;
    return {
      action: target?.action ?? asked.action,
      what: target?.resource.apis.at(-1) ?? asked.what,
      verdict: {
        result: refusal === null ? 'allow' : 'deny',
        reason: refusal?.reason ?? 'permitted',
        by: [...new Set(by)].toSorted(),
      },
    };
  }
}
