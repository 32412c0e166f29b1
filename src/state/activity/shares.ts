/** How fast a share that is used up grows again: by one in so many milliseconds. */
const REFILL_MS = 30_000;
/** A share that is not used up is a part of all that is kept, and at least so much. */
const PART = 100;
const LEAST = 16;
/** Shares that are remembered; one that is forgotten is a whole one again. */
const MAX_SHARES = 10_000;
/** What all shares together may take in one second, so that the work is bounded too. */
const MOST_A_SECOND = 500;

interface Share {
  /** What is left of it, at `atMs`. */
  left: number;
  atMs: number;
  /** What was left out since the last one that was kept. */
  omitted: number;
}

/**
 * Who may have how many denials kept: a flood by one caller must not push out those of the others. Each caller that was
 * proven has a share, and each reason for which nobody was; what is beyond it is counted. Time is constant.
 */
export class Shares {
  readonly #most: number;
  #young = new Map<string, Share>();
  #old = new Map<string, Share>();
  #secondEndsMs = Number.NEGATIVE_INFINITY;
  #inSecond = 0;

  /** `limit`: how many denials are kept in all. */
  constructor(limit: number) {
    this.#most = Math.min(limit, Math.max(LEAST, Math.floor(limit / PART)));
  }

  /** Takes one of a share: how many were left out before it, or null where this one has to be left out too. */
  take(name: string, nowMs: number): number | null {
    const share = this.#of(name, nowMs);
    const passed = nowMs - share.atMs;
    if (passed < 0) share.atMs = nowMs;
    else if (passed >= REFILL_MS) {
      const grown = Math.floor(passed / REFILL_MS);
      share.left = Math.min(this.#most, share.left + grown);
      share.atMs += grown * REFILL_MS;
    }
    if (share.left === 0 || !this.#anotherIn(nowMs)) {
      share.omitted++;
      return null;
    }
    if (share.left === this.#most) share.atMs = nowMs;
    share.left--;
    const { omitted } = share;
    share.omitted = 0;
    return omitted;
  }

  #anotherIn(nowMs: number): boolean {
    if (nowMs >= this.#secondEndsMs || nowMs < this.#secondEndsMs - 1000) {
      this.#secondEndsMs = nowMs + 1000;
      this.#inSecond = 0;
    }
    if (this.#inSecond >= MOST_A_SECOND) return false;
    this.#inSecond++;
    return true;
  }

  /** Two generations: what was not asked for over a whole one is forgotten. */
  #of(name: string, nowMs: number): Share {
    const young = this.#young.get(name);
    if (young !== undefined) return young;
    if (this.#young.size >= MAX_SHARES / 2) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    const share = this.#old.get(name) ?? { left: this.#most, atMs: nowMs, omitted: 0 };
    this.#young.set(name, share);
    return share;
  }
}
