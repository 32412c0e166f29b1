import type { Reason } from '../../src/base/outcome.ts';
import type { ThiefEstate } from '../support/thief-estate.ts';
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
] as const;
export type Column = (typeof columns)[number];

/** What makes one request of the estate's people and tokens. */
export type Play = (estate: ThiefEstate) => Attempt;

/** A denial that has to come: its reason, and for `policy_forbidden` the guardrail among those that forbid. */
export interface Denial {
  readonly reason: Reason | 'handshake';
  readonly by?: string;
}

/** One use of what was stolen. */
export interface Cell {
  /** What is done, in a few words. */
  readonly how: string;
  /** A request that comes before, and is permitted: the use that is repeated. */
  readonly first?: (estate: ThiefEstate, attempt: Attempt) => Attempt;
  readonly play: Play;
  readonly expected: Denial | Works;
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

/** Used as it must be, and then once more. */
export function refusedAfter(how: string, first: NonNullable<Cell['first']>, play: Play, reason: Reason): Cell {
  return { how, first, play, expected: { reason } };
}

export function works(how: string, play: Play, kept: Works['kept']): Cell {
  return { how, play, expected: { kept } };
}

interface Sent extends Answer {
  readonly forbids: readonly string[];
}

/** Plays every cell, each beside its row's control, and compares what came with what was expected. */
export async function playMatrix(rows: readonly Row[], estate: ThiefEstate, way: Way, direct: boolean) {
  const played: PlayedCell[] = [];
  const send = async (attempt: Attempt): Promise<Sent> => {
    const answer = await way.send(attempt);
    return { ...answer, forbids: answer.outcome === 'policy_forbidden' ? forbidsOf(estate, answer) : [] };
  };
  for (const row of rows) {
    const control = await send(row.control.play(estate));
    for (const column of columns) {
      const cell = row.cells[column];
      if (cell === undefined || (direct && cell.needsEnvoy)) continue;
      const { got, wrong } = await playCell(cell, estate, send);
      const uncontrolled = control.outcome === 'permitted' ? null : `the rightful use: ${control.outcome}`;
      played.push({ row, column, cell, got, wrong: uncontrolled ?? wrong });
    }
  }
  return played;
}

async function playCell(
  { first, play, expected }: Cell,
  estate: ThiefEstate,
  send: (attempt: Attempt) => Promise<Sent>,
): Promise<{ got: string; wrong: string | null }> {
  const attempt = play(estate);
  if (first !== undefined) {
    const { outcome } = await send(first(estate, attempt));
    if (outcome !== 'permitted') return { got: outcome, wrong: `the first use: ${outcome}` };
  }
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
function forbidsOf({ base }: ThiefEstate, { decision }: Answer): readonly string[] {
  const hops = base.sidecar.auditOf(decision).hops as readonly { readonly forbids: readonly string[] }[];
  return [...new Set(hops.flatMap(({ forbids }) => forbids))];
}
