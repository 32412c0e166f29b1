/** One request of a simulated workload. Times are milliseconds since the simulation began. */
export interface SimulatedRequest {
  readonly t: number;
  readonly api: string;
  readonly writes: boolean;
  readonly refused: boolean;
  readonly client: string;
  /** The api came with the inventory today. */
  readonly isNewApi: boolean;
}

/** One workload: what it sent, and what is needed to go on. */
export interface SimulatedWorkload {
  readonly requests: readonly SimulatedRequest[];
  /** Requests a second at the busiest hour. */
  readonly base: number;
  readonly apis: readonly string[];
  readonly client: string;
  readonly random: () => number;
}

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A generator of numbers from 0 to 1 (mulberry32), the same for the same seed. */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Requests of some days: nights and weekends, bursts with a heavy tail, nightly reports, deployments, storms of refusals, moves. */
export function ordinary(seed: number, count: number, fromMs = 0): SimulatedWorkload {
  const random = randomOf(seed);
  const requests: SimulatedRequest[] = [];
  const apis = Array.from({ length: 12 + Math.floor(random() * 30) }, (_, i) => `svc.internal/api${i}`);
  const reports = Array.from({ length: 10 }, (_, i) => `svc.internal/report${seed % 7}-${i}`);
  const news = new Map<string, number>();
  const base = 0.02 + random() * 0.15;
  const writes = random() * 0.3;
  const hasReport = random() < 0.3;
  let client = addressOf(random, 9);
  let t = fromMs;
  let nextBurst = t + HOUR * random();
  let nextDeployment = t + 2 * DAY;
  let nextStorm = t + DAY * random();
  let nextReport = t + 3 * HOUR;
  const picked = () => apis[Math.floor(random() ** 2.5 * apis.length)]!;
  const after = (ms: number) => -Math.log(1 - random()) * ms;
  const send = (at: number, api: string, refused: boolean) => {
    const isNewApi = (news.get(api) ?? Number.NEGATIVE_INFINITY) > at - DAY;
    requests.push({ t: at, api, writes: random() < writes, refused, client, isNewApi });
  };
  const isFew = () => random() < 0.004;
  while (requests.length < count) {
    const hour = (t / HOUR) % 24;
    const day = Math.floor(t / DAY);
    const isQuiet = day % 7 > 4 || day % 31 === 24;
    const busy = (0.15 + 0.85 * Math.max(0, Math.sin(((hour - 6) / 12) * Math.PI))) * (isQuiet ? 0.3 : 1);
    t += after(1000 / (base * busy));
    send(t, picked(), isFew());
    if (t > nextBurst) {
      const size = Math.min(600, Math.floor(10 * (1 - random()) ** (-1 / 1.2)));
      const gap = 5 + random() * 200;
      const only = random() < 0.5 ? picked() : null;
      for (let n = 0; n < size; n++) {
        t += after(gap);
        send(t, only ?? picked(), isFew());
      }
      nextBurst = t + after(HOUR);
    }
    if (hasReport && t > nextReport) {
      for (let n = 0; n < 60; n++) {
        t += after(500);
        send(t, n % 6 === 0 ? reports[n / 6]! : picked(), false);
      }
      nextReport = (Math.floor(t / DAY) + 1) * DAY + 3 * HOUR;
    }
    if (t > nextDeployment) {
      const ours = random() < 0.5;
      for (let n = 1 + Math.floor(random() * 5); n > 0; n--) {
        const name = `svc.internal/new${seed}-${apis.length}`;
        apis.splice(Math.floor(random() * apis.length), 0, name);
        if (ours) news.set(name, t);
      }
      nextDeployment = t + (1 + random() * 6) * DAY;
    }
    if (t > nextStorm) {
      for (let n = 5 + Math.floor(random() * 25); n > 0; n--) {
        t += random() * 400;
        send(t, picked(), true);
      }
      nextStorm = t + (0.5 + random() * 3) * DAY;
    }
    if (random() < 2e-5) client = addressOf(random, 200);
  }
  return { requests: requests.slice(0, count), base, apis, client, random };
}

const addressOf = (random: () => number, networks: number): string => `10.0.${Math.floor(random() * networks)}.7`;

/** One request of an attack; `i` counts from 0. */
type Attack = (of: SimulatedWorkload, i: number) => Omit<SimulatedRequest, 'isNewApi'>;

const foreign = '203.0.113.9';
const step = ({ base }: SimulatedWorkload, i: number): number => (i * 1000) / base;
const fresh = (i: number): string => `svc.internal/hidden${i}`;
const known = ({ apis }: SimulatedWorkload, i: number): string => apis[i % apis.length]!;

/** Of these every one is to be found within 50 requests, also where the owner sends as many at the same time. */
export const caught: Readonly<Record<string, Attack>> = {
  '20 x the usual rate, new endpoints': (of, i) => ({
    t: step(of, i) / 20,
    api: fresh(i),
    writes: false,
    refused: false,
    client: of.client,
  }),
  'the same, half refused': (of, i) => ({
    t: step(of, i) / 20,
    api: fresh(i),
    writes: false,
    refused: i % 2 === 0,
    client: of.client,
  }),
  'usual rate, each endpoint new': (of, i) => ({
    t: step(of, i),
    api: fresh(i),
    writes: false,
    refused: false,
    client: of.client,
  }),
  'usual rate, new, refused, other network': (of, i) => ({
    t: step(of, i),
    api: fresh(i),
    writes: false,
    refused: i % 3 !== 0,
    client: foreign,
  }),
};

/** What is known not to be found, beside those above where the owner sends twenty times as many. */
export const missed: Readonly<Record<string, Attack>> = {
  '200 a second over known endpoints': (of, i) => ({
    t: i * 5,
    api: known(of, i),
    writes: false,
    refused: false,
    client: of.client,
  }),
  'the same from another network': (of, i) => ({
    t: i * 5,
    api: known(of, i),
    writes: false,
    refused: false,
    client: foreign,
  }),
  'known endpoints, all writes': (of, i) => ({
    t: step(of, i),
    api: known(of, i),
    writes: true,
    refused: false,
    client: of.client,
  }),
  'one new endpoint an hour': (of, i) => ({
    t: i * HOUR,
    api: i % 10 === 0 ? fresh(i) : known(of, i),
    writes: false,
    refused: false,
    client: of.client,
  }),
};
