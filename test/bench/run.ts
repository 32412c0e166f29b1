import { SidecarEstate } from '../support/estate.ts';
import { cpuMs, load, mixedLoad, quantile, residentMb, type Shape } from '../support/load.ts';

/** `npm run bench`: what one check costs, through gRPC on a Unix socket. Compare figures of one machine only. */
const WARM_UP_SECONDS = 3;
const SECONDS = 10;

const estate = await SidecarEstate.start();
const { sidecar } = estate;
const all = mixedLoad(estate.ca);
const rounds: readonly (readonly [name: string, shapes: readonly Shape[]])[] = [
  ['one caller, allowed', all.slice(0, 1)],
  ['one caller, refused by policy', all.slice(3, 4)],
  ['mixed', all],
];
try {
  for (const [name, shapes] of rounds) {
    await load(sidecar, shapes, during(WARM_UP_SECONDS));
    const before = cpuMs(sidecar.pid);
    const { seconds, times, faults } = await load(sidecar, shapes, during(SECONDS));
    const micros = ((cpuMs(sidecar.pid) - before) * 1000) / times.length;
    process.stdout.write(
      `bench ${name}: ${Math.round(times.length / seconds)}/s, ${Math.round(micros)} CPU µs a check, ` +
        `p50 ${quantile(times, 0.5)} ms, p99 ${quantile(times, 0.99)} ms, ` +
        `${residentMb(sidecar.pid)} MB resident, ${faults.length} wrong\n`,
    );
    if (faults.length > 0) process.exitCode = 1;
  }
} finally {
  await estate.stop();
}

function during(seconds: number): () => boolean {
  const end = performance.now() + seconds * 1000;
  return () => performance.now() < end;
}
