import { routeTwoHosts, ThiefEstate } from '../support/thief-estate.ts';
import { throughEnvoy } from '../support/thief-way.ts';
import { startUpstream } from '../support/upstream.ts';
import { type PlayedCell, playMatrix } from './reuse-matrix.ts';
import { rows } from './reuse-rows.ts';

/** Plays the matrix through a real Envoy that lets every certificate in, so that the sidecar's own judgement shows. */
export async function playReuse(): Promise<readonly PlayedCell[]> {
  const estate = await ThiefEstate.start();
  const upstream = await startUpstream();
  try {
    const envoy = await estate.base.envoy('test-permissive', upstream, routeTwoHosts);
    const way = throughEnvoy(envoy);
    try {
      return await playMatrix(rows, estate, way, false);
    } finally {
      way.close();
      await envoy.stop();
    }
  } finally {
    await upstream.close();
    await estate.stop();
  }
}
