import { playMatrix } from '../demo/reuse-matrix.ts';
import { rows } from '../demo/reuse-rows.ts';
import { ThiefEstate } from '../support/thief-estate.ts';
import { toCheckPort } from '../support/thief-way.ts';

/**
 * Plays the reuse matrix against the check port of the sidecar of this very tree, and prints as JSON how many cells were
 * played and which were wrong. For reuse.ts, which calls it in copies of the project.
 */

const estate = await ThiefEstate.start();
const way = toCheckPort(estate.base.sidecar.check);
try {
  const played = await playMatrix(rows, estate, way, true);
  const wrong = played.filter((cell) => cell.wrong !== null);
  const cells = wrong.map((cell) => `${cell.row.name}, ${cell.column}: ${cell.wrong}`);
  process.stdout.write(`${JSON.stringify({ played: played.length, wrong: cells })}\n`);
} finally {
  way.close();
  await estate.stop();
}
