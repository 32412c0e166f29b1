import { Redis } from '../support/redis.ts';
import { secondSidecar } from '../support/second-sidecar.ts';
import { ending } from '../support/started.ts';
import { routeTwoHosts } from '../support/thief-estate.ts';
import { RegisteredEstate } from '../support/thief-registry.ts';
import { tasksListener } from '../support/thief-tasks.ts';
import { throughEnvoy } from '../support/thief-way.ts';
import { startUpstream } from '../support/upstream.ts';
import { type PlayedCell, playMatrix } from './reuse-matrix.ts';
import { rows } from './reuse-rows.ts';

/** Plays the matrix at two sidecars that share a Redis: what comes before at the first, and each reuse at the second. */
export async function playReuseInFleet(): Promise<readonly PlayedCell[]> {
  await using started = new AsyncDisposableStack();
  const redis = started.adopt(await Redis.start(), (one) => one.remove());
  // A store whose history has only begun takes no proof from before; this one is an hour old.
  await redis.age('default');
  const state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}` };
  const estate = ending(started, await RegisteredEstate.start({ state }));
  const { base } = estate;
  const upstream = ending(started, await startUpstream());
  const parts = { listen: tasksListener, edit: routeTwoHosts };
  const second = await secondSidecar(started, base, upstream, 'test-permissive', parts);
  estate.tasks.alsoAt(second.dir);
  const first = ending(started, await base.envoy('test-permissive', upstream, routeTwoHosts));
  return await playMatrix(rows, estate, {
    before: { way: ending(started, throughEnvoy(first)), sidecar: base.sidecar },
    reuse: { way: ending(started, throughEnvoy(second.envoy)), sidecar: second.sidecar },
  });
}
