/** One metric as docs/metrics.md shows it, and as it is made. */
export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  /** The HELP text: what is counted or measured. */
  readonly help: string;
  /** Each label with where its values come from: always a closed set. */
  readonly labels: Readonly<Record<string, string>>;
  readonly unit: string;
  /** What a value means, and what to do about it. */
  readonly use: string;
}
