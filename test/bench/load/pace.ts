import type { LoadConnection } from './h2-load.ts';
import type { Verdict } from './verdict.ts';

/** A message, and the decision that is right. */
export interface Ask {
  readonly message: Uint8Array;
  readonly right: Verdict;
}

export interface Pace {
  readonly perSecond: number;
  readonly seconds: number;
  /** Milliseconds after which a check is given up, as Envoy does. */
  readonly deadlineMs: number;
  /** Checks in flight beyond which no more are sent, as by the circuit breaker of Envoy's cluster. */
  readonly inFlight: number;
}

/** What became of the checks of a pace. */
export class Paced {
  sent = 0;
  /** Not sent, since so many were in flight. */
  held = 0;
  right = 0;
  /** Refused as overloaded. */
  refused = 0;
  /** Given up at the deadline, or ended by the server without an answer. */
  unanswered = 0;
  /** Another decision than the right one. */
  wrong = 0;
  /** Connections that the server ended, each of which was replaced. */
  lost = 0;
  /** Answers in each second. */
  readonly answers: number[] = [];
  /** Milliseconds from the beginning to when the last answer that was not right was due. */
  lastFaultMs = 0;
  readonly #times = new Map<number, number>();

  /** Counts one answer; times are milliseconds. */
  answered(
    verdict: Verdict,
    message: Buffer,
    { right }: Ask,
    { due, now, start }: Record<'due' | 'now' | 'start', number>,
  ) {
    if (verdict === 'none') this.unanswered++;
    else if (verdict === 'deny' && message.includes('overloaded')) this.refused++;
    else if (verdict !== right) this.wrong++;
    else this.right++;
    if (verdict !== right || message.includes('overloaded')) this.lastFaultMs = due - start;
    if (verdict === 'none') return;
    const second = Math.floor((now - start) / 1000);
    this.answers[second] = (this.answers[second] ?? 0) + 1;
    const bucket = Math.ceil((now - due) * PER_MS);
    this.#times.set(bucket, (this.#times.get(bucket) ?? 0) + 1);
  }

  /** Milliseconds within which this share of the answers came, to a twentieth. */
  within(share: number): number {
    const all = [...this.#times].sort(([a], [b]) => a - b);
    let left = share * all.reduce((sum, [, count]) => sum + count, 0);
    for (const [bucket, count] of all) {
      left -= count;
      if (left <= 0) return bucket / PER_MS;
    }
    return (all.at(-1)?.[0] ?? 0) / PER_MS;
  }
}

const PER_MS = 20;

/** Connections of Envoy's threads: one each, and a new one when the server ends it. */
const CONNECTIONS = 4;

/** Sends checks when they are due, in turn over four connections, for as long as is said. */
export async function pace(connect: () => Promise<LoadConnection>, next: () => Ask, options: Pace): Promise<Paced> {
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, connect));
  /** Places of connections that are being opened. */
  const opening = new Set<number>();
  const { perSecond, seconds, deadlineMs, inFlight } = options;
  const total = Math.round(perSecond * seconds);
  const paced = new Paced();
  const start = performance.now();
  const dueAt = (check: number): number => start + (check * 1000) / perSecond;
  /** In the order of their deadlines. */
  let open: { readonly due: number; readonly giveUp: () => void; done: boolean }[] = [];
  let [at, first, busy] = [0, 0, 0];
  /** The next one that is open; those that were ended are replaced. */
  const live = (from: number): LoadConnection | null => {
    for (let n = 0; n < CONNECTIONS; n++) {
      const place = (from + n) % CONNECTIONS;
      const connection = connections[place]!;
      if (!connection.ended) return connection;
      if (opening.has(place)) continue;
      opening.add(place);
      paced.lost++;
      connect().then(
        (opened) => {
          connections[place] = opened;
          opening.delete(place);
        },
        () => opening.delete(place),
      );
    }
    return null;
  };
  const send = (due: number): void => {
    if (busy >= inFlight) {
      paced.held++;
      return;
    }
    paced.sent++;
    const ask = next();
    const connection = live(at);
    if (connection === null) {
      paced.answered('none', Buffer.alloc(0), ask, { due, now: due, start });
      return;
    }
    busy++;
    const entry = { due, done: false, giveUp: (): void => {} };
    entry.giveUp = connection.send(ask.message, (verdict, message) => {
      if (entry.done) return;
      entry.done = true;
      busy--;
      paced.answered(verdict, message, ask, { due, now: performance.now(), start });
    });
    open.push(entry);
  };
  await new Promise<void>((resolve) => {
    const turn = (): void => {
      const now = performance.now();
      for (; at < total && dueAt(at) <= now; at++) send(dueAt(at));
      for (; first < open.length && open[first]!.due + deadlineMs < now; first++) open[first]!.giveUp();
      if (first > 10_000) [open, first] = [open.slice(first), 0];
      if (at === total && busy === 0) resolve();
      else setImmediate(turn);
    };
    turn();
  });
  for (const connection of connections) connection.close();
  return paced;
}
