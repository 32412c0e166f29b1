/** Samples every 30 s: a value that stays. */
export const flat = (value: number): string => `${value}+0x600`;

/** A counter that rises by `by` from 0, `samples` of 30 s after the beginning. */
export const step = (samples: number, by = 1): string => `0+0x${samples - 1} ${by}+0x600`;

/** A counter that rises by so much every 30 s. */
export const rising = (by: number): string => `0+${by}x600`;

/** A counter that rises 3 minutes, or 7 minutes, before the default time of evaluation. */
export const late = step(42);
export const early = step(34);

/** A situation in which an alert fires, and a change to it after which it does not. */
export interface AlertCase {
  /** By name, with labels beside `job` and `instance`; see the samples above. */
  readonly series: Readonly<Record<string, string>>;
  /** When it is looked at; default: 24 minutes after the beginning. */
  readonly at?: string;
  /** Labels of the alert, beside its severity; default: `job` and `instance`. */
  readonly labels?: Readonly<Record<string, string>>;
  /** What a person reads, as it is written out. */
  readonly summary: string;
  /** Series that replace those above, so that it does not fire. */
  readonly quiet: Readonly<Record<string, string>>;
}

export type AlertCases = Readonly<Record<string, AlertCase | readonly AlertCase[]>>;

export const SIDECAR = { job: 'authz', instance: 'authz-1' } as const;
const { job, instance } = SIDECAR;
/** The labels of an alert about all sidecars of a job. */
export const FLEET = { job } as const;
/** The labels of an alert about one sidecar, and more. */
export const labelled = (labels: Readonly<Record<string, string>>) => ({ job, instance, ...labels });
