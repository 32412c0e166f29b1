import { Refusal } from '../base/outcome.ts';
import type { Inventory } from '../inventory/inventory.ts';
import { type HopVerdict, TOUCHED_DECIDES } from '../policy/decide/question.ts';
import { type ShadowFinding, shadowFindings } from '../policy/decide/shadow.ts';
import type { Snapshot } from '../policy/decide/snapshot.ts';
import { runCase } from '../policy/load/cases.ts';
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

/** Rows that are alike, counted. */
class Tally<T extends { readonly count: number }> {
  readonly #rows = new Map<string, T>();

  add(key: string, row: T): void {
    const { count } = this.#rows.get(key) ?? { count: 0 };
    this.#rows.set(key, { ...(this.#rows.get(key) ?? row), count: count + 1 });
  }

  /** Each as it was first, the most frequent one first. */
  rows(): T[] {
    return [...this.#rows.values()].toSorted((a, b) => b.count - a.count);
  }
}

/** Judges the decisions of an audit again, one line after the other, in memory that grows with the kinds of change only. */
export class Replayer {
  readonly #snapshot: Snapshot<Inventory>;
  readonly #changes = new Tally<Change>();
  readonly #shadow = new Tally<ShadowChange>();
  readonly #opened = new Tally<Opening>();
  /** In the order of a replay, where the rows of the tallies come in between. */
  readonly #counted = {
    judged: 0,
    sameRevision: 0,
    changes: [],
    inexact: 0,
    opened: [],
    untold: {} as Record<string, number>,
    shadow: [],
    left: { 'no check': 0, unreadable: 0, 'before policy': 0, 'not exact': 0 },
    unreadable: null as Replay['unreadable'],
  };
  #lines = 0;

  constructor(snapshot: Snapshot<Inventory>) {
    this.#snapshot = snapshot;
  }

  /** The next line of the audit; an empty one tells nothing. */
  add(line: string): void {
    this.#lines++;
    if (line === '') return;
    const audited = readAudited(line, this.#snapshot);
    if ('why' in audited) {
      this.#counted.left[audited.why]++;
      this.#reopen(audited);
      if (audited.why === 'unreadable') this.#counted.unreadable ??= { line: this.#lines, reason: audited.reason };
      return;
    }
    const same = audited.revision === this.#snapshot.revision;
    const judged = this.#judge(audited);
    if (judged === null) {
      this.#counted.left['not exact']++;
      return;
    }
    const { verdict: now, action, what } = judged;
    this.#counted.judged++;
    if (same) this.#counted.sameRevision++;
    const { result, reason } = audited.verdict;
    if (result === now.result && (reason === now.reason || reason === null)) return;
    if (same) this.#counted.inexact++;
    const { caller, decision } = audited;
    const key = JSON.stringify([caller, action, what, result, reason, now]);
    this.#changes.add(key, { caller, action, what, before: { result, reason }, now, count: 0, decision });
  }

  result(): Replay {
    const [changes, opened, shadow] = [this.#changes.rows(), this.#opened.rows(), this.#shadow.rows()];
    return { ...this.#counted, changes, opened, shadow };
  }

  #reopen({ refused, decision }: Unjudged): void {
    const { revision, inventory } = this.#snapshot;
    if (refused === undefined || refused.revision === revision) return;
    const { reason, detail } = refused;
    const now = reopening(refused, inventory);
    if (now === 'untold') this.#counted.untold[reason] = (this.#counted.untold[reason] ?? 0) + 1;
    if (now === 'opened')
      this.#opened.add(`${reason} ${detail}`, { reason, detail, count: 0, decision: decision ?? '' });
  }

  /** Null where it depends on what was opened before, which the line does not tell: it did not decide then. */
  #judge({ stated }: Audited): { readonly verdict: Verdict; readonly action: string; readonly what: string } | null {
    const { inventory, headers } = this.#snapshot;
    const questions = questionsFor(stated, inventory, headers);
    const line = typeof stated.request === 'object' ? stated.request : null;
    const asked = { action: line?.method ?? '', what: `${line?.host ?? ''}${line?.path ?? ''}` };
    // A name that is no longer known: the caller, a workload of the chain, or the purpose.
    if (typeof questions === 'string') return { ...asked, verdict: { result: 'deny', reason: questions, by: [] } };
    const verdicts: HopVerdict[] = [];
    const { result, reason, by } = runCase({ questions }, (question) => {
      const verdict = this.#snapshot.decide(question);
      verdicts.push(verdict);
      return verdict;
    });
    if (verdicts.includes(TOUCHED_DECIDES)) return null;
    for (const { policy, would } of shadowFindings(verdicts)) {
      this.#shadow.add(`${policy} ${would}`, { policy, would, count: 0 });
    }
    const target = questions instanceof Refusal ? undefined : questions[0]?.target;
    return {
      action: target?.action ?? asked.action,
      what: target?.resource.apis.at(-1) ?? asked.what,
      verdict: { result, reason: reason ?? 'permitted', by },
    };
  }
}
