/** One metric as docs/metrics.md shows it, and as it is made. */
export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The HELP text: what is counted or measured. */
  readonly help: string;
  /** Each label with where its values come from: always a closed set. */
  readonly labels: Readonly<Record<string, string>>;
  readonly unit: string;
  /** Upper bounds of a histogram, in seconds; left out: those of a check. */
  readonly buckets?: readonly number[];
  /** What a value means, and what to do about it. */
  readonly use: string;
}

/** How full a memory of the sidecar is, in entries and in the bytes that they count as. */
export interface CacheLoad {
  readonly entries: number;
  /** Left out where bytes alone are bounded. */
  readonly limit?: number;
  readonly bytes: number;
  readonly byteLimit: number;
}
