import type {
  ApprovalRequest,
  BrokenGlass,
  DecideResult,
  GlassLookup,
  GlassOrder,
  GlassResult,
  GlassUse,
  Review,
  ReviewOrder,
} from './book.ts';
import { stateOfRequest } from './request-state.ts';

/** By which the beginning of the record is reviewed: nobody knows what a store held that was lost. */
export const BEGINNING = 'beginning';
/** So long one use may come. */
export const GLASS_USE_MS = 10 * 60_000;
/** Within so long somebody else has to look at it. */
export const REVIEW_MS = 24 * 60 * 60_000;
/** How many of one person may wait for a review. */
export const MAX_UNREVIEWED = 3;
/** So long a reviewed one is shown. */
const REVIEWED_SHOWN_MS = 7 * 24 * 60 * 60_000;
/** What waits is never forgotten. */
export const NEVER_MS = 999_999_999_999_999;

/** Until when a break-glass is remembered. */
export const glassKeptUntil = (review: Review | null): number =>
  review === null ? NEVER_MS : review.atMs + REVIEWED_SHOWN_MS;

/** Each break-glass that is remembered, and who began the record of them. */
export class GlassTable implements GlassLookup {
  readonly #byId = new Map<string, BrokenGlass>();
  readonly #beginnings = new Map<string, Review>();

  all(): Iterable<BrokenGlass> {
    return this.#byId.values();
  }

  find(id: string): BrokenGlass | null {
    return this.#byId.get(id) ?? null;
  }

  get beginnings(): readonly Review[] {
    return [...this.#beginnings.values()];
  }

  set(broken: BrokenGlass): void {
    this.#byId.set(broken.asked.id, broken);
  }

  remove(id: string): void {
    this.#byId.delete(id);
  }

  begin(beginning: Review): void {
    this.#beginnings.set(beginning.by, beginning);
  }

  rests(by: string, nowMs: number): string | null {
    if (!this.beginnings.some((one) => one.by !== by))
      return `nobody else has said that none of yours waits for a review: another person reviews '${BEGINNING}' first`;
    const waiting = [...this.#byId.values()].filter(({ use, review }) => use.by === by && review === null);
    const late = waiting.filter(({ use }) => nowMs >= use.atMs + REVIEW_MS);
    if (late.length > 0) return `not reviewed within 24 h: another person reviews ${idsOf(late)} first`;
    if (waiting.length < MAX_UNREVIEWED) return null;
    return `${MAX_UNREVIEWED} of yours wait for a review: another person reviews one of ${idsOf(waiting)} first`;
  }

  /** Forgets what was reviewed long ago. */
  dropOver(nowMs: number): void {
    for (const { asked, review } of this.#byId.values()) if (glassKeptUntil(review) <= nowMs) this.remove(asked.id);
  }
}

const idsOf = (broken: readonly BrokenGlass[]): string => broken.map(({ asked }) => asked.id).join(', ');

type Undecided = Extract<DecideResult, { readonly result: 'conflict' }>;

/** A request that one person lets pass alone, not signed yet; or why that cannot be. */
export function brokenGlass(
  request: ApprovalRequest,
  { digest, by, reason }: GlassOrder,
  glass: GlassLookup,
  nowMs: number,
): ApprovalRequest | Undecided | Extract<GlassResult, { readonly result: 'resting' }> {
  const state = stateOfRequest(request, nowMs);
  if (state !== 'pending' || glass.find(request.id) !== null)
    return conflict(`it is ${state === 'pending' ? 'a break-glass already' : state}`);
  if (digest !== request.order.digest) return conflict('it is not the request that was shown');
  const detail = glass.rests(by, nowMs);
  if (detail !== null) return { result: 'resting', detail };
  return withGlass(request, { by, atMs: nowMs, reason, untilMs: nowMs + GLASS_USE_MS, signature: '' });
}

/** A request as a break-glass leaves it: granted, once. */
export function withGlass(asked: ApprovalRequest, glass: GlassUse): ApprovalRequest {
  const { by, atMs, reason, untilMs } = glass;
  const { digest, approvals } = asked.order;
  const use = { uses: 1, untilMs, grantedAtMs: atMs, by: [by], alone: true } as const;
  const grant = { id: asked.id, digest, approvals, ...use };
  return { ...asked, consents: [{ by, atMs, reason, uses: 1, useForMs: untilMs - atMs }], grant, glass };
}

/** What a review would make of a break-glass, or of the beginning (null); or why it cannot be one. */
export function reviewedGlass(
  { id, by, reason }: ReviewOrder,
  glass: GlassLookup,
  nowMs: number,
): BrokenGlass | null | Undecided | Extract<DecideResult, { readonly result: 'unknown' }> {
  if (id === BEGINNING) {
    const { beginnings } = glass;
    if (beginnings.some((one) => one.by === by)) return conflict('you have reviewed it already');
    return beginnings.length < 2 ? null : conflict('two persons have reviewed it already');
  }
  const broken = glass.find(id);
  if (broken === null) return { result: 'unknown' };
  if (broken.review !== null) return conflict('it is reviewed already');
  if (broken.use.by === by) return conflict('it is your own: another person reviews it');
  return { ...broken, review: { by, atMs: nowMs, reason } };
}

const conflict = (detail: string): Undecided => ({ result: 'conflict', detail });
