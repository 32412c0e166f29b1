import { Fault } from '../base/fault.ts';
import { Refresher, type RefreshOptions } from '../source/refresher.ts';
import type { TrustBundle } from './bundle.ts';
import type { BundleSink, BundleSource } from './bundle-source.ts';

/** The bundle of one trust domain from a place that is read again and again. Null: the place withdrew it. */
export class RefreshedBundle implements BundleSource {
  readonly #refresher: Refresher<TrustBundle | null>;
  #sink: BundleSink | null = null;

  constructor(trustDomain: string, options: Omit<RefreshOptions<TrustBundle | null>, 'onRead'>) {
    this.#refresher = new Refresher<TrustBundle | null>({
      ...options,
      onRead: (read) => {
        if (read instanceof Fault) this.#sink?.reject(trustDomain, read.detail);
        else this.#sink?.accept(trustDomain, read);
      },
    });
  }

  async start(sink: BundleSink): Promise<void> {
    this.#sink = sink;
    await this.refresh();
  }

  /** Reads now; where a read is under way, once more after it. Resolves when what it asked for was delivered. */
  async refresh(): Promise<void> {
    await this.#refresher.refresh();
  }

  stop(): void {
    void this.#refresher.stop();
  }
}
