import type { Measured } from '../contest.ts';
import type { ServerName } from '../shapes.ts';
import { ours, type ShapeFigures } from './record.ts';

/** `bench: SHAPE: N us, R of floor, H of Heimdall; alone N us, R of floor`. */
export function line(shape: string, { servers, ofFloor, ofHeimdall, ofFloorAlone }: ShapeFigures): string {
  const { full, alone } = servers[ours(new Map(Object.entries(servers)) as ReadonlyMap<ServerName, unknown>)]!;
  const peer = ofHeimdall === null ? '-' : ofHeimdall.toFixed(2);
  return (
    `bench: ${shape}: ${full.micros[1].toFixed(1)} us, ${ofFloor.toFixed(2)} of floor, ${peer} of Heimdall; ` +
    `alone ${alone.micros[1].toFixed(1)} us, ${ofFloorAlone.toFixed(2)} of floor`
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
