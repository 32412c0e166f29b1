import type { Measured, Windows } from './contest.ts';
import type { Spent } from './drive.ts';
import { micros, type Spread, spread } from './figures.ts';
import type { ServerName } from './shapes.ts';

type ByServer = ReadonlyMap<ServerName, Windows>;

/** The server that is the product in this shape. */
function ours(by: ByServer): ServerName {
  return (['product', 'miss', 'heimdall'] as const).find((name) => by.has(name))!;
}

/** CPU microseconds a check, over the rounds. */
export function cost(windows: readonly Spent[]): Spread {
  return spread(windows.map(micros));
}

/** How much more one costs than another: the median of the rounds, each of which measured both side by side. */
export function ratio(mine: readonly Spent[], theirs: readonly Spent[]): number {
  return spread(mine.map((one, round) => micros(one) / micros(theirs[round]!)))[1];
}

/** `bench: SHAPE: N us, R of floor, H of Heimdall; alone N us, R of floor`. */
export function line(shape: string, by: ByServer): string {
  const name = ours(by);
  const [mine, floor, peer] = [by.get(name)!, by.get('floor')!, by.get('heimdall')];
  const times = (one: number | null) => (one === null ? '-' : one.toFixed(2));
  const ofPeer = peer === undefined || name === 'heimdall' ? null : ratio(mine.full, peer.full);
  return (
    `bench: ${shape}: ${cost(mine.full)[1].toFixed(1)} us, ${times(ratio(mine.full, floor.full))} of floor, ` +
    `${times(ofPeer)} of Heimdall; alone ${cost(mine.alone)[1].toFixed(1)} us, ${times(ratio(mine.alone, floor.alone))} of floor`
  );
}

/** One line for each shape and server with wrong answers. */
export function wrongAnswers(measured: Measured): readonly string[] {
  return [...measured].flatMap(([shape, by]) =>
    [...by].flatMap(([name, { full, alone }]) => {
      const wrong = [...full, ...alone].reduce((sum, one) => sum + one.wrong, 0);
      return wrong === 0 ? [] : [`${shape}: ${wrong} wrong answers by ${name}`];
    }),
  );
}
