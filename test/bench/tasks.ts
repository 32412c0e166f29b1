import { subjectKey } from '../../src/state/revocation.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { orderOf } from '../support/orders.ts';
import { Redis } from '../support/redis.ts';
import { openBook, signs } from '../support/redis-books.ts';
import { openRegistry } from '../support/redis-registries.ts';
import { storeOptions } from '../support/redis-states.ts';
import { begun, MANAGER, requireRegistration } from '../support/registering.ts';
import { agentByTxn, askerOf, TTS } from '../support/world-asks.ts';
import { makeWorldKeys } from '../support/world-keys.ts';
import { asking, printTimes, startSidecar } from './revocations.ts';

const TRIALS = 200;
const LEASE_MS = 100;

/**
 * How soon a sidecar refuses a task that begins, is ended, lapses or is revoked at another one: from the order, or from the end of
 * the lease, to the first answer.
 */
export async function taskFigures(): Promise<void> {
  const keys = makeWorldKeys();
  const redis = await Redis.start();
  await redis.age('default');
  const folder = temporaryFolder();
  const sidecar = await startSidecar(folder, keys, redis, requireRegistration);
  const options = storeOptions(redis, { namespace: 'default' });
  const other = await openRegistry(options, { keys: signs, limits: { perWorkload: 10_000, all: 10_000 } });
  const orders = await openBook(options, signs);
  const { becomes, close } = asking(sidecar);
  const times = { begin: [] as number[], end: [] as number[], lapse: [] as number[], revoke: [] as number[] };
  try {
    for (let trial = 0; trial < TRIALS; trial++) {
      const taskOf = (kind: string) => {
        const id = `${kind}-${trial}`;
        return { id, ask: () => agentByTxn({ claims: { txn: id } })(askerOf(keys)) };
      };
      const ended = taskOf('ended');
      let since = performance.now();
      await begun(other.registry, { id: ended.id });
      await becomes(ended.ask, 'permitted');
      times.begin.push(performance.now() - since);
      since = performance.now();
      await other.registry.end({ issuer: TTS, id: ended.id }, MANAGER, 'done', Date.now());
      await becomes(ended.ask, 'task_ended');
      times.end.push(performance.now() - since);
      const lapsing = taskOf('lapsing');
      const { leaseUntilMs } = await begun(other.registry, { id: lapsing.id, leaseMs: LEASE_MS });
      await becomes(lapsing.ask, 'task_lapsed');
      times.lapse.push(Date.now() - leaseUntilMs!);
      const revoked = taskOf('revoked');
      await begun(other.registry, { id: revoked.id });
      await becomes(revoked.ask, 'permitted');
      since = performance.now();
      await orders.book.revoke(
        orderOf(`r-${trial}`, { kind: 'task', subject: subjectKey('task', TTS, revoked.id) }),
        Date.now(),
      );
      await becomes(revoked.ask, 'revoked_task');
      times.revoke.push(performance.now() - since);
    }
  } finally {
    close();
    await orders.stop();
    await other.stop();
    await sidecar.stop();
    await redis.remove();
    removeFolder(folder);
  }
  printTimes('from the beginning of a task to the first permit of another sidecar', times.begin);
  printTimes('from the end of a task to the first refusal of another sidecar', times.end);
  printTimes('from the end of a lease to the first refusal of another sidecar', times.lapse);
  printTimes('from the revocation of a task to the first refusal of another sidecar', times.revoke);
}
