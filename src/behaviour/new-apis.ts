const NEW_MS = 86_400_000;

/** The apis that came with the inventory within a day: that workloads begin to use them is no surprise. */
export class NewApis {
  #known: ReadonlySet<string>;
  readonly #sinceMs = new Map<string, number>();

  /** Those that are there from the beginning are not new. */
  constructor(known: ReadonlySet<string>) {
    this.#known = known;
  }

  /** An inventory is served from now on. */
  load(apis: ReadonlySet<string>, nowMs: number): void {
    if (apis === this.#known) return;
    for (const [api, sinceMs] of this.#sinceMs)
      if (!apis.has(api) || Math.abs(nowMs - sinceMs) > NEW_MS) this.#sinceMs.delete(api);
    // Nothing is new to an inventory of which none was there before.
    if (this.#known.size > 0) for (const api of apis) if (!this.#known.has(api)) this.#sinceMs.set(api, nowMs);
    this.#known = apis;
  }

  has(api: string, nowMs: number): boolean {
    const sinceMs = this.#sinceMs.get(api);
    return sinceMs !== undefined && Math.abs(nowMs - sinceMs) <= NEW_MS;
  }
}
