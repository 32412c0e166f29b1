import type { Reason } from '../../src/base/outcome.ts';
import type { Sidecar } from '../support/sidecar.ts';
import type { ThiefEstate } from '../support/thief-estate.ts';
import type { RegisteredEstate } from '../support/thief-registry.ts';
import type { Answer, Attempt, Way } from '../support/thief-way.ts';

/** Where, when and how a stolen credential is used. */
export const columns = [
  'another workload',
  'after expiry',
  'other purpose',
  'other method',
  'other resource',
  'other host',
  'other audience',
  'replayed as it was',
  'respelled signature',
  'one hop further',
  'invented chain',
  'shortened chain',
  'forged header beside',
  'thief’s own proof',
  'proof left out',
  'task ended',
  'lease lapsed',
  'budget spent',
] as const;
export type Column = (typeof columns)[number];

/** What makes one request of the estate's people and tokens. */
export type Play = (estate: ThiefEstate) => Attempt;

/** A use that comes before the reuse: its outcome. */
export type Use = (attempt: Attempt) => Promise<string>;

/**
 * What happened to a credential before it is used again: it was used, or its task came to an end. Resolves with what makes the
 * request of the reuse; rejects where what came before did not go as it must.
 */
export type Past = (estate: RegisteredEstate, use: Use) => Promise<() => Attempt>;

/** A denial that has to come: its reason, and for `policy_forbidden` the guardrail among those that forbid. */
export interface Denial {
  readonly reason: Reason | 'handshake';
  readonly by?: string;
}

/** One use of what was stolen. */
export interface Cell {
  /** What is done, in a few words. */
  readonly how: string;
  readonly play: Play | { readonly past: Past };
  readonly expected: Denial | Works;
  /** The reason where the past is of a sidecar that was restarted meanwhile, and remembered in its process alone. */
  readonly restarted?: Reason;
  /** Envoy or TLS decide: nothing to ask the sidecar alone. */
  readonly needsEnvoy?: true;
}

/** The reuse works, by a choice named unsafe or by the nature of the kind; `kept` says from what it is kept away, and by what. */
export interface Works {
  readonly kept: { readonly how: string; readonly play: Play } & Denial;
}

/** What a thief holds. */
export interface Row {
  readonly name: string;
  readonly what: string;
  /** The rightful use, which is permitted. */
  readonly control: { readonly how: string; readonly play: Play };
  readonly cells: Readonly<Partial<Record<Column, Cell>>>;
}

/** How one cell went. */
export interface PlayedCell {
  readonly row: Row;
  readonly column: Column;
  readonly cell: Cell;
  /** The reason of the denial, or `permitted`. */
  readonly got: string;
  /** Why it is not what was expected; null: it is right. */
  readonly wrong: string | null;
}

export function refused(how: string, play: Play, reason: Denial['reason'], by?: string): Cell {
  return { how, play, expected: by === undefined ? { reason } : { reason, by } };
}

/** The outcome of a use that has to be permitted before. */
export function permitted(outcome: string): void {
  if (outcome !== 'permitted') throw new Error(`the use before: ${outcome}`);
}

/** Something happened before: refused for one reason, and after a restart for another. */
export function refusedAfter(how: string, past: Past, reason: Reason, restarted: Reason): Cell {
  return { how, play: { past }, expected: { reason }, restarted };
}

export function works(how: string, play: Play, kept: Works['kept']): Cell {
  return { how, play, expected: { kept } };
}

interface Sent extends Answer {
  readonly forbids: readonly string[];
}

/** A sidecar, and how requests reach it. */
export interface Door {
  readonly way: Way;
  readonly sidecar: Pick<Sidecar, 'auditOf'>;
}

/** How a matrix is played. */
export interface Course {
  /** Where credentials are used before, and where they are used again: one sidecar, or two that share a store. */
  readonly before: Door;
  readonly reuse: Door;
  /** Restarts the sidecar between what came before and the reuse. */
  readonly restart?: () => Promise<void>;
  /** There is no Envoy. */
  readonly direct?: true;
}

/** Plays every cell, each beside its row's control, and compares what came with what was expected. */
export async function playMatrix(
  rows: readonly Row[],
  estate: RegisteredEstate,
  { before, reuse, restart, direct }: Course,
): Promise<readonly PlayedCell[]> {
  const use: Use = async (attempt) => (await before.way.send(attempt)).outcome;
  const send = async (attempt: Attempt): Promise<Sent> => {
    const answer = await reuse.way.send(attempt);
    return { ...answer, forbids: answer.outcome === 'policy_forbidden' ? forbidsOf(reuse, answer) : [] };
  };
  const cells = rows.flatMap(({ cells: own }) => Object.values(own)).filter((cell) => !(direct && cell.needsEnvoy));
  // Together, since some wait for a lease to lapse.
  const attempts = new Map(
    await Promise.all(cells.map(async (cell) => [cell, await stolen(cell, estate, use)] as const)),
  );
  await restart?.();
  const played: PlayedCell[] = [];
  for (const row of rows) {
    const control = await send(row.control.play(estate));
    for (const column of columns) {
      const cell = row.cells[column];
      const attempt = cell && attempts.get(cell);
      if (cell === undefined || attempt === undefined) continue;
      const expected = restart && cell.restarted ? { reason: cell.restarted } : cell.expected;
      const { got, wrong } =
        typeof attempt === 'string' ? { got: '?', wrong: attempt } : await playCell(attempt(), expected, estate, send);
      const uncontrolled = control.outcome === 'permitted' ? null : `the rightful use: ${control.outcome}`;
      played.push({ row, column, cell, got, wrong: uncontrolled ?? wrong });
    }
  }
  return played;
}

/** What makes the request of the reuse, once there is a credential to steal; or why there is none. */
async function stolen({ play }: Cell, estate: RegisteredEstate, use: Use): Promise<(() => Attempt) | string> {
  if (typeof play === 'function') return () => play(estate);
  try {
    return await play.past(estate, use);
  } catch (error) {
    return String(error);
  }
}

async function playCell(
  attempt: Attempt,
  expected: Cell['expected'],
  estate: RegisteredEstate,
  send: (attempt: Attempt) => Promise<Sent>,
): Promise<{ got: string; wrong: string | null }> {
  const got = await send(attempt);
  if ('reason' in expected) return { got: got.outcome, wrong: difference(got, expected) };
  if (got.outcome !== 'permitted') return { got: got.outcome, wrong: `permitted was expected, got ${got.outcome}` };
  const kept = difference(await send(expected.kept.play(estate)), expected.kept);
  return { got: got.outcome, wrong: kept === null ? null : `not kept away: ${kept}` };
}

function difference({ outcome, forbids }: Sent, { reason, by }: Denial): string | null {
  if (outcome !== reason) return `${reason} was expected, got ${outcome}`;
  if (by === undefined || forbids.includes(by)) return null;
  return `${by} was expected to forbid, and ${forbids.join(', ') || 'nothing'} did`;
}

/** The policies that forbade, as the audit has them. */
function forbidsOf({ sidecar }: Door, { decision }: Answer): readonly string[] {
  const hops = sidecar.auditOf(decision).hops as readonly { readonly forbids: readonly string[] }[];
  return [...new Set(hops.flatMap(({ forbids }) => forbids))];
}
