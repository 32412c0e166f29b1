import type { Evidence, Revocation } from './revocation.ts';

/** Clocks of issuers may be so far behind: what seems to be issued a little after the moment is hit too. */
const SKEW_MS = 5000;

/** What applies to requests. */
export interface RevocationLookup {
  /** Whether no request can be hit, so that nobody needs to list what it rests on. */
  readonly empty: boolean;
  /**
   * The first revocation that hits something of what a request rests on; null: none does. Where the time of issue is not
   * known, every one hits. `nowMs` in milliseconds since the epoch.
   */
  find(evidence: readonly Evidence[], nowMs: number): Revocation | null;
}

/** The same, for whoever lists them: there may be a hundred thousand. */
export interface RevocationListing extends RevocationLookup {
  values(): Iterable<Revocation>;
  /** The first with this id. */
  get(id: string): Revocation | null;
  /** How many have not ended. `nowMs` in milliseconds since the epoch. */
  inForce(nowMs: number): number;
}

/** Whether a revocation hits a credential that was issued then (seconds; null: not known). */
export const hits = (
  { issuedUpToMs, untilMs }: Pick<Revocation, 'issuedUpToMs' | 'untilMs'>,
  issuedAt: number | null,
  nowMs: number,
): boolean =>
  nowMs < untilMs && (issuedUpToMs === null || issuedAt === null || issuedAt * 1000 <= issuedUpToMs + SKEW_MS);
