import type { Metric, Registry } from 'prom-client';

/** Upper bounds of a check, in seconds; what is longer counts under `+Inf`. */
const BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1];

interface Series {
  /** By bucket, each for itself, `+Inf` last. */
  readonly counts: number[];
  sum: number;
}

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

/**
 * A histogram with one label, whose series are numbers until they are scraped: prom-client's looks at names and values of
 * labels with each observation, and a check makes seven. A registry shows both alike.
 */
export class TimeHistogram {
  readonly name: string;
  readonly help: string;
  readonly type = 'histogram';
  readonly #label: string;
  readonly #buckets: readonly number[];
  readonly #series = new Map<string, Series>();

  constructor(name: string, help: string, label: string, registry: Registry, buckets: readonly number[] = BUCKETS) {
    this.#buckets = buckets;
    this.name = name;
    this.help = help;
    this.#label = label;
    // All that a registry asks of a metric is its name, and `get`.
    registry.registerMetric(this as unknown as Metric<string>);
  }

  /** The series is there from now on, with nothing in it. */
  begin(label: string): Series {
    const series = { counts: new Array<number>(this.#buckets.length + 1).fill(0), sum: 0 };
    this.#series.set(label, series);
    return series;
  }

  observe(label: string, seconds: number): void {
    const series = this.#series.get(label) ?? this.begin(label);
    let bucket = 0;
    while (bucket < this.#buckets.length && !(seconds <= this.#buckets[bucket]!)) bucket++;
    series.counts[bucket]! += 1;
    series.sum += seconds;
  }

  /** What a registry asks for at a scrape. */
  async get(): Promise<{ name: string; help: string; type: string; values: Sample[] }> {
    const { name, help, type } = this;
    return { name, help, type, values: [...this.#series].flatMap(([label, series]) => this.#samples(label, series)) };
  }

  #samples(label: string, { counts, sum }: Series): Sample[] {
    const labels = { [this.#label]: label };
    let count = 0;
    const buckets = counts.map((some, at): Sample => {
      count += some;
      return {
        metricName: `${this.name}_bucket`,
        labels: { le: this.#buckets[at] ?? '+Inf', ...labels },
        value: count,
      };
    });
    return [
      ...buckets,
      { metricName: `${this.name}_sum`, labels, value: sum },
      { metricName: `${this.name}_count`, labels, value: count },
    ];
  }
}
