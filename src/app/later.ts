/** A value that comes once, and later. */
export class Later<T> {
  #value: T | null = null;
  readonly #coming = Promise.withResolvers<T>();

  /** Runs everything that waits for the value, in its order, before anything that asks for it afterwards. */
  set(value: T): void {
    this.#coming.resolve(value);
    void this.#coming.promise.then(() => {
      this.#value = value;
    });
  }

  /** Runs `run` with the value: at once where it is there. */
  use<R>(run: (value: T) => Promise<R>): Promise<R> {
    return this.#value === null ? this.#coming.promise.then(run) : run(this.#value);
  }
}
