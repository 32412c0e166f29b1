/** What begins at this moment, for each workload: it counts before the store has it. */
export class Beginnings {
  readonly #ofWorkload = new Map<string, number>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  countOf(workload: string): number {
    return this.#ofWorkload.get(workload) ?? 0;
  }

  /** Counts one more, until what is given is called. */
  reserve(workloads: readonly string[]): () => void {
    this.#count(workloads, 1);
    return () => this.#count(workloads, -1);
  }

  #count(workloads: readonly string[], by: 1 | -1): void {
    this.#size += by;
    for (const workload of workloads) {
      const count = this.countOf(workload) + by;
      if (count > 0) this.#ofWorkload.set(workload, count);
      else this.#ofWorkload.delete(workload);
    }
  }
}
