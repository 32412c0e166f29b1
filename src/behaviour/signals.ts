/** What is noticed about a workload, in the order in which it is told. */
export const signalKinds = [
  'rate',
  'fan-out',
  'novel-endpoint',
  'new-network',
  'odd-hour',
  'refusals',
  'write-shift',
] as const;
export type SignalKind = (typeof signalKinds)[number];

/** Kinds that say the same in different ways count as one kind of evidence, from this many points on together. */
const evidence = [
  { kinds: ['rate', 'fan-out'], from: 15 },
  { kinds: ['novel-endpoint', 'new-network', 'odd-hour'], from: 15 },
  { kinds: ['refusals'], from: 15 },
  { kinds: ['write-shift'], from: 10 },
] as const satisfies readonly { readonly kinds: readonly SignalKind[]; readonly from: number }[];

/** So many points for new endpoints are two kinds of evidence: a scan of an estate has no innocent form. */
const TWICE_FROM = 80;

/** From this risk on, and with two kinds of evidence, the credential is held to be stolen. */
const STOLEN = { risk: 65, evidence: 2 };

/** Beyond this risk nothing is learned. */
export const CALM_BELOW = 40;

/** What explains one signal: its points of the risk, and numbers that a person can check. */
export interface SignalReason {
  readonly points: number;
  /** Requests, distinct apis, or hits. */
  readonly now: number;
  /** What `now` is counted in: seconds, or requests. Left out where neither says anything. */
  readonly seconds?: number;
  readonly requests?: number;
  /** What is usual: the ceiling of a count, or the share of hits. */
  readonly usual: number;
}

/** What was noticed about the caller of one request, this request counted in. */
export interface Assessment {
  /** 0 to 100; null: too little is known of the workload yet. */
  readonly risk: number | null;
  /** The kinds of which enough was noticed, in the order of `signalKinds`. */
  readonly signals: readonly SignalKind[];
  /** Each kind that has points, whether or not it is among `signals`. */
  readonly why: Readonly<Partial<Record<SignalKind, SignalReason>>>;
  /** How many independent kinds of evidence there are. */
  readonly evidence: number;
}

const none = { signals: [], why: {}, evidence: 0 } as const;

/** Too little is known of the workload. */
export const UNKNOWN_BEHAVIOUR: Assessment = Object.freeze({ risk: null, ...none });
/** Nothing was noticed. */
export const CALM_BEHAVIOUR: Assessment = Object.freeze({ risk: 0, ...none });

/** The assessment of what was noticed. */
export function assessmentOf(why: Assessment['why']): Assessment {
  const points = (kind: SignalKind): number => why[kind]?.points ?? 0;
  const signals = new Set<SignalKind>();
  let count = 0;
  for (const { kinds, from } of evidence) {
    const noticed = kinds.filter((kind) => points(kind) > 0);
    if (noticed.reduce((sum, kind) => sum + points(kind), 0) < from) continue;
    count++;
    for (const kind of noticed) signals.add(kind);
  }
  if (points('novel-endpoint') >= TWICE_FROM) count++;
  const sum = signalKinds.reduce((total, kind) => total + points(kind), 0);
  return {
    risk: Math.min(100, sum),
    signals: signalKinds.filter((kind) => signals.has(kind)),
    why,
    evidence: count,
  };
}

/** Whether so much was noticed, of more than one kind, that the credential is held to be stolen. */
export const looksStolen = ({ risk, evidence }: Assessment): boolean =>
  risk !== null && risk >= STOLEN.risk && evidence >= STOLEN.evidence;
