import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Redis } from './redis.ts';
import { type MeshConfig, World } from './world.ts';

/**
 * A store, and what a control process that signs, and sidecars that believe it, are started with to share it. `state`: more of that
 * section.
 */
export async function controlFleet(t: TestContext, state: object = {}) {
  const redis = await Redis.of(t);
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const shared = (config: MeshConfig): void => {
    config.state = { store: 'redis', url: `redis://127.0.0.1:${redis.port}`, timeout: '5s', ...state };
    config.limits = { ...config.limits, drainDelay: '0s' };
  };
  return {
    redis,
    /** Of a process that answers no checks; without `key` it signs nothing. */
    control: (key: string | null = './control.pem', edit: (config: MeshConfig) => void = () => {}) => ({
      prepare: (folder: string): void =>
        writeFileSync(join(folder, 'control.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
      edit: (config: MeshConfig): void => {
        shared(config);
        config.listen = { ...config.listen, check: 'off' };
        config.control = { ...config.control, ...(key === null ? {} : { key }) };
        edit(config);
      },
    }),
    /** Starts a sidecar that believes what the process signs. */
    sidecar: async (edit: (config: MeshConfig) => void = () => {}): Promise<World> => {
      const sidecar = await World.start({
        prepare: (folder) =>
          writeFileSync(join(folder, 'control.pub'), publicKey.export({ type: 'spki', format: 'pem' }).toString()),
        edit: (config) => {
          shared(config);
          config.control = { trustedKeys: ['./control.pub'] };
          edit(config);
        },
      });
      t.after(() => sidecar.stop());
      return sidecar;
    },
  };
}
