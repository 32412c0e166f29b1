import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pemBundle } from '../support/ca.ts';
import { startControlProcess } from '../support/control-process.ts';
import { Estate, workload } from '../support/estate.ts';
import { Redis } from '../support/redis.ts';
import { secondSidecar } from '../support/second-sidecar.ts';
import { ending } from '../support/started.ts';
import type { DemoEstate } from './rows.ts';
import { believeBegunTasks, type Reach } from './tasks.ts';

/** Two sidecars, each with an Envoy in front of the same service, the Redis that they share, and a control process. */
export const Fleet = { start };
export type Fleet = Awaited<ReturnType<typeof start>>;

async function start() {
  await using started = new AsyncDisposableStack();
  const redis = started.adopt(await Redis.start(), (one) => one.remove());
  // A store whose history has only begun takes no proof from before; this one is an hour old.
  await redis.age('default');
  const first = ending(
    started,
    await Estate.start({
      envoy: 'uds',
      prepare: (dir, ca) => {
        writeFileSync(join(dir, 'nonces'), `${randomBytes(32).toString('base64')}\n`);
        const { task } = believeBegunTasks(dir, ca) as { task: object };
        const nonce = { required: true, secretFile: './nonces' };
        const { publicKey, privateKey } = generateKeyPairSync('ed25519');
        writeFileSync(join(dir, 'control.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
        writeFileSync(join(dir, 'control.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
        return {
          task: { ...task, dpop: { nonce } },
          control: { trustedKeys: ['./control.pub'] },
          state: { store: 'redis', url: `redis://127.0.0.1:${redis.port}` },
        };
      },
    }),
  );
  const { base, ca, svid, upstream } = first;
  const { sidecar, envoy } = await secondSidecar(started, base, upstream, 'uds');
  const second: DemoEstate = { envoy, sidecar, upstream, ca, svid };
  const control = ending(started, await startControl(base));
  const running = started.move();
  return { estates: [first as DemoEstate, second] as const, control, stop: () => running.disposeAsync() };
}

const AUTHZ = '/ns/platform/sa/authz';
const OPERATOR = '/ns/platform/sa/operator';

/** A process that answers no checks and takes orders over TLS, beside the first sidecar; and how callers reach it. */
async function startControl({ dir, ca, config, svid }: Estate['base']) {
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text, { mode: 0o600 });
    return join(dir, name);
  };
  const own = svid(AUTHZ);
  const files = { certificate: file('authz.crt', own.pem), key: file('authz.key', own.pkcs8Pem) };
  const whole = { ...config, control: { key: './control.key' } };
  const { url, stop } = await startControlProcess(dir, whole, { tls: { files } });
  const server = ['--ca', file('ca.pem', pemBundle(ca)), '--server-id', workload(AUTHZ)];
  const reachAs: Reach = (path) => {
    const [name, caller] = [path.slice(path.lastIndexOf('/') + 1), svid(path)];
    const proof = ['--cert', file(`${name}.crt`, caller.pem), '--key', file(`${name}.key`, caller.pkcs8Pem)];
    return ['--control', url, ...proof, ...server];
  };
  return { reach: reachAs(OPERATOR), reachAs, stop };
}
