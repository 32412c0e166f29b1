import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { StoreOptions } from '../../../src/state/redis/options.ts';
import { TestCa } from '../../support/ca.ts';
import { removeFolder, temporaryFolder } from '../../support/folder.ts';
import { loopbackName } from '../../support/https-keys.ts';
import { Redis, type RedisSetup } from '../../support/redis.ts';
import { storeOptions } from '../../support/redis-states.ts';
import { until } from '../../support/until.ts';
import { Wire, type WireMode } from '../../support/wire.ts';
import { ShiftedClock } from './shifted-clock.ts';

/** A store with what lies around it, and how to reach it. */
export interface Stage {
  readonly options: StoreOptions;
  /** Makes the fault; resolves when it is over and the store could be used again. */
  readonly fault: () => Promise<void>;
  readonly stop: () => Promise<void>;
}

/** One fault, by name. `long`: it takes more than a few seconds. */
export interface StateFault {
  readonly name: string;
  readonly long?: boolean;
  /** Whether nobody need notice it. */
  readonly unnoticed?: boolean;
  /** Uses that run at once meanwhile, without a pause between them. */
  readonly busy?: boolean;
  readonly stage: () => Promise<Stage>;
}

const NAMESPACE = 'soak';
const TIMEOUT_MS = 500;
/** Longer than the look of a sidecar, so that what it finds is found. */
const HELD_MS = 1500;

const common = (redis: Redis, more: Partial<StoreOptions> = {}): StoreOptions =>
  storeOptions(redis, {
    namespace: NAMESPACE,
    timeoutMs: TIMEOUT_MS,
    maxEntries: 100_000,
    maxCounts: 100_000,
    maxAccounts: 100_000,
    ...more,
  });

/** A fault of one server. */
const one = (
  name: string,
  fault: (redis: Redis) => Promise<unknown>,
  setup: RedisSetup = {},
  more: Pick<StateFault, 'long' | 'unnoticed'> = {},
): StateFault => ({
  name,
  ...more,
  stage: async () => {
    const redis = await Redis.start(setup);
    await redis.age(NAMESPACE);
    return {
      options: common(redis),

      fault: async () => void (await fault(redis)),
      stop: () => redis.remove(),
    };
  },
});

const stopped = (milliseconds: number) => async (redis: Redis) => {
  redis.signal('SIGSTOP');
  await pause(milliseconds);
  redis.signal('SIGCONT');
};

const restarted = async (redis: Redis): Promise<void> => {
  await redis.kill();
  await pause(HELD_MS / 3);
  await redis.start();
};

/** A fault of the way to one server. */
const onTheWire = (name: string, mode: WireMode): StateFault => ({
  name,
  stage: async () => {
    const redis = await Redis.start();
    await redis.age(NAMESPACE);
    const wire = await Wire.to(() => redis.port);
    const fault = async () => {
      wire.mode = mode;
      await pause(2 * HELD_MS);
      wire.mode = 'pass';
    };
    const stop = async () => {
      await wire.close();
      await redis.remove();
    };
    const endpoint = { kind: 'tcp', host: '127.0.0.1', port: wire.port } as const;
    return { options: common(redis, { endpoint }), fault, stop };
  },
});

const replicated = (primary: Redis, count: number) =>
  until('replication', async () =>
    (await primary.admin('INFO', 'replication')).split('state=online').length > count ? true : null,
  );

/** A replica that lacks the last uses becomes the primary, behind the address of the old one. */
const promoted: StateFault = {
  name: 'cut-off replica promoted',
  stage: async () => {
    const primary = await Redis.start();
    await primary.age(NAMESPACE);
    const replica = await Redis.start({ config: [`replicaof 127.0.0.1 ${primary.port}`] });
    await replicated(primary, 1);
    let target = primary.port;
    const wire = await Wire.to(() => target);
    const fault = async () => {
      replica.signal('SIGSTOP');
      await pause(HELD_MS);
      await primary.kill();
      replica.signal('SIGCONT');
      await replica.admin('REPLICAOF', 'NO', 'ONE');
      target = replica.port;
      wire.cut();
    };
    const stop = async () => {
      await wire.close();
      await replica.remove();
      await primary.remove();
    };
    const endpoint = { kind: 'tcp', host: '127.0.0.1', port: wire.port } as const;
    return { options: common(primary, { endpoint }), fault, stop };
  },
};

const failover: StateFault = {
  name: 'Sentinel failover under load',
  busy: true,
  stage: async () => {
    const primary = await Redis.start();
    await primary.age(NAMESPACE);
    const replica = await Redis.start({ config: [`replicaof 127.0.0.1 ${primary.port}`] });
    await replicated(primary, 1);
    const sentinel = await Redis.start({
      sentinel: true,
      config: [
        `sentinel monitor main 127.0.0.1 ${primary.port} 1`,
        'sentinel down-after-milliseconds main 500',
        'sentinel failover-timeout main 3000',
      ],
    });
    await until('the replica', async () =>
      (await sentinel.admin('SENTINEL', 'REPLICAS', 'main')).includes(String(replica.port)) ? true : null,
    );
    const addresses = [{ host: '127.0.0.1', port: sentinel.port }];
    const fault = async () => {
      await primary.kill();
      await until('the failover', async () =>
        (await sentinel.admin('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main')).includes(String(replica.port)) &&
        (await replica.admin('ROLE')).startsWith('master')
          ? true
          : null,
      );
    };
    const stop = async () => {
      for (const redis of [sentinel, replica, primary]) await redis.remove();
    };
    const options = common(primary, { endpoint: null, sentinels: { name: 'main', addresses, user: null } });
    return { options, fault, stop };
  },
};

const expired: StateFault = {
  name: 'certificate expired',
  stage: async () => {
    const ca = TestCa.root('redis.example', { uris: [] });
    const keys = { otherNames: [loopbackName] };
    const good = ca.issue(keys);
    const old = ca.issue({ ...keys, notAfter: Date.now() - 1000 });
    const files = { 'server.pem': good.pem, 'server.key': good.pkcs8Pem, 'ca.pem': ca.certificate.pem };
    const redis = await Redis.start({
      files,
      tls: { clients: 'no' },
      config: ['appendonly yes', 'appendfsync always'],
    });
    const put = (issued: typeof good) => {
      writeFileSync(join(redis.dir, 'server.pem'), issued.pem);
      writeFileSync(join(redis.dir, 'server.key'), issued.pkcs8Pem);
    };
    const fault = async () => {
      await redis.kill();
      put(old);
      await redis.start();
      await pause(HELD_MS);
      await redis.kill();
      put(good);
      await redis.start();
    };
    const tls = { ca: join(redis.dir, 'ca.pem'), client: null, serverName: null };
    return { options: common(redis, { tls }), fault, stop: () => redis.remove() };
  },
};

const userDropped: StateFault = {
  name: 'ACL user dropped',
  stage: async () => {
    const redis = await Redis.start();
    await redis.age(NAMESPACE);
    const passwordFile = join(redis.dir, 'password');
    writeFileSync(passwordFile, 'secret');
    const add = () => redis.admin('ACL', 'SETUSER', 'authz', 'reset', 'on', '>secret', '~*', '+@all');
    await add();
    const fault = async () => {
      await redis.admin('ACL', 'DELUSER', 'authz');
      await pause(HELD_MS);
      await add();
    };
    const options = common(redis, { user: { username: 'authz', passwordFile } });
    return { options, fault, stop: () => redis.remove() };
  },
};

/** The server's clock runs ahead by more than is allowed, and is set back. */
const clock: StateFault = {
  name: 'clock + 10 s',
  stage: async () => {
    const dir = temporaryFolder();
    const shifted = await ShiftedClock.in(dir);
    const redis = await Redis.start({ env: shifted.env });
    await redis.age(NAMESPACE);
    const fault = async () => {
      shifted.move(10);
      await pause(HELD_MS);
      shifted.move(0);
    };
    const stop = async () => {
      await redis.remove();
      removeFolder(dir);
    };
    return { options: common(redis), fault, stop };
  },
};

/** What a store is put through. */
export const stateFaults: readonly StateFault[] = [
  one('stopped for 1 s', stopped(1000)),
  one('stopped for 10 s', stopped(10_000), {}, { long: true }),
  one('killed, without AOF', restarted),
  one('killed, with AOF', restarted, { config: ['appendonly yes', 'appendfsync everysec'] }),
  promoted,
  failover,
  one('read-only', async (redis) => {
    await redis.admin('REPLICAOF', '127.0.0.1', '1');
    await pause(HELD_MS);
    await redis.admin('REPLICAOF', 'NO', 'ONE');
  }),
  one('full', async (redis) => {
    await redis.admin('CONFIG', 'SET', 'maxmemory', '1mb');
    await pause(HELD_MS);
    await redis.admin('CONFIG', 'SET', 'maxmemory', '0');
  }),
  onTheWire('slow by 1 s', { delayMs: 1000 }),
  onTheWire('reset in mid-answer', 'reset'),
  onTheWire('half-open', 'hold'),
  one('SCRIPT FLUSH', (redis) => redis.admin('SCRIPT', 'FLUSH'), {}, { unnoticed: true }),
  clock,
  one('FLUSHALL', (redis) => redis.admin('FLUSHALL')),
  one('SWAPDB', async (redis) => {
    await redis.admin('SWAPDB', '0', '1');
    await pause(HELD_MS);
    await redis.admin('SWAPDB', '0', '1');
  }),
  userDropped,
  expired,
];
