import { playMatrix } from '../demo/reuse-matrix.ts';
import { rows } from '../demo/reuse-rows.ts';
import { RegisteredEstate } from '../support/thief-registry.ts';
import { toCheckPort } from '../support/thief-way.ts';

/**
 * Plays the reuse matrix against the check port of the sidecar of this very tree, and prints as JSON how many cells were
 * played and which were wrong. For reuse.ts, which calls it in copies of the project.
 */

const estate = await RegisteredEstate.start();
const way = toCheckPort(estate.base.sidecar.check);
try {
  const door = { way, sidecar: estate.base.sidecar };
  const played = await playMatrix(rows, estate, { before: door, reuse: door, direct: true });
  const wrong = played.filter((cell) => cell.wrong !== null);
  const cells = wrong.map((cell) => `${cell.row.name}, ${cell.column}: ${cell.wrong}`);
  process.stdout.write(`${JSON.stringify({ played: played.length, wrong: cells })}\n`);
} finally {
  way.close();
  await estate.stop();
}
