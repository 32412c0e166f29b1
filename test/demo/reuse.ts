import { secondAfterStart } from '../support/proof-time.ts';
import { ending } from '../support/started.ts';
import { routeTwoHosts } from '../support/thief-estate.ts';
import { RegisteredEstate } from '../support/thief-registry.ts';
import { throughEnvoy } from '../support/thief-way.ts';
import { startUpstream } from '../support/upstream.ts';
import { type PlayedCell, playMatrix } from './reuse-matrix.ts';
import { rows } from './reuse-rows.ts';

/** The matrix as it was played: against a sidecar that runs, and with a restart of it between what came before and the reuse. */
export interface PlayedReuse {
  readonly running: readonly PlayedCell[];
  readonly restarted: readonly PlayedCell[];
}

/** Plays the matrix through a real Envoy that lets every certificate in, so that the sidecar's own judgement shows. */
export async function playReuse(): Promise<PlayedReuse> {
  await using started = new AsyncDisposableStack();
  const estate = ending(started, await RegisteredEstate.start());
  const upstream = ending(started, await startUpstream());
  const envoy = ending(started, await estate.base.envoy('test-permissive', upstream, routeTwoHosts));
  const door = { way: ending(started, throughEnvoy(envoy)), sidecar: estate.base.sidecar };
  const course = { before: door, reuse: door };
  const running = await playMatrix(rows, estate, course);
  const restart = async () => {
    await estate.base.sidecar.stop();
    await estate.base.sidecar.start();
    // Envoy asks nobody whom its health check has not seen yet.
    await envoy.clusterHealth('cedar-ext-authz', true);
    await secondAfterStart();
    await estate.tasks.beginUsual();
  };
  return { running, restarted: await playMatrix(rows, estate, { ...course, restart }) };
}
