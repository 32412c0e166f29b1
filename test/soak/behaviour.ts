import { BASELINE_BYTES } from '../../src/behaviour/baseline.ts';
import { playReal } from '../support/behaviour/real.ts';
import { type SimulationFigures, simulate } from '../support/behaviour/simulation.ts';
import type { SoakResult } from './run.ts';

const WHOLE = { seeds: 10, workloads: 20, requests: 100_000 };
const SHORT = { seeds: 2, workloads: 10, requests: 60_000 };
/** Of ordinary requests so many may be refused for what was noticed, were everything restricted; of days of a legacy account, so many. */
const [REFUSED, STOPPED] = [1e-5, 1e-3];
/** So little of it happens by chance in a run that is short. */
const FEW = 2;

/**
 * `npm run soak -- behaviour [short | real [SECONDS]]`: seeded traffic of ordinary workloads and thieves through the estimators, by a virtual
 * clock. No ordinary workload is held to be stolen, the shipped guardrails refuse next to nothing, every attack that is to be
 * found is found within 50 requests, and those that are not are told. `real` gives what was learned to a real sidecar with `act`, asks
 * it ordinary requests for some seconds, and attacks.
 */
export async function run([form, seconds = '600']: readonly string[]): Promise<SoakResult> {
  if (form === 'real') return real(Number(seconds));
  const size = form === 'short' ? SHORT : WHOLE;
  const figures = simulate(size, ({ requests, judged, quarantines }) => {
    process.stdout.write(`  ${requests} requests, ${judged} judged, ${quarantines} quarantines\n`);
  });
  const { requests, judged, quarantines, attacks, caught, slowest, misses, microseconds } = figures;
  const { refused, days, stopped, greatest } = figures;
  process.stdout.write(
    `  greatest risk ${greatest}; refused if all were restricted: ${refused} of ${judged}; legacy accounts stopped: ${stopped} of ${days} days\n`,
  );
  process.stdout.write(
    `  found after ${slowest} requests at most; ${(microseconds / requests).toFixed(2)} µs a request with its simulation, ${BASELINE_BYTES} bytes a workload\n`,
  );
  for (const miss of misses) process.stdout.write(`  not found: ${miss}\n`);
  return {
    line: `behaviour: ${size.seeds} seeds, ${requests} requests, ${quarantines} quarantines, ${caught} of ${attacks} attacks caught, ${misses.size} known misses`,
    faults: [...figures.faults, ...faultsOf(figures)],
  };
}

async function real(seconds: number): Promise<SoakResult> {
  const { ordinary, refused, found, faults } = await playReal(seconds);
  for (const [title, at] of found) process.stdout.write(`  refused at request ${at}: ${title}\n`);
  const line = `behaviour: over gRPC ${ordinary} ordinary requests, ${refused} refused; ${found.size} of ${found.size + faults.length} attacks refused`;
  return { line, faults };
}

function faultsOf({ judged, quarantines, refused, days, stopped }: SimulationFigures): readonly string[] {
  const faults: string[] = [];
  if (judged === 0) faults.push('nothing was judged');
  if (quarantines > 0) faults.push(`${quarantines} ordinary requests were held to be a thief's`);
  if (refused > Math.max(FEW, judged * REFUSED)) faults.push(`${refused} of ${judged} ordinary requests refused`);
  if (stopped > Math.max(FEW, days * STOPPED)) faults.push(`stopped on ${stopped} of ${days} days of legacy accounts`);
  return faults;
}
