import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ConfigOverrides } from './estate.ts';
import { ids, ThiefEstate } from './thief-estate.ts';
import { keepTasks, ThiefTasks, tasksListener } from './thief-tasks.ts';

/**
 * The thief's estate where every task must be registered. That of all tokens that name no other one is, for everybody who plays:
 * so the registry refuses what is over, and nothing else.
 */
export const RegisteredEstate = { start };
export type RegisteredEstate = Awaited<ReturnType<typeof start>>;

/** `state` of the configuration: with a store, a second sidecar may keep its tasks too. */
async function start({ state }: { readonly state?: object } = {}) {
  const estate = await ThiefEstate.start({
    issuers: { registration: 'required' },
    listen: tasksListener,
    prepare: (dir, ca): ConfigOverrides => {
      keepTasks(dir, ca);
      return state === undefined ? {} : { state, control: signing(dir) };
    },
  });
  const tasks = new ThiefTasks(estate.base.dir, estate.base.ca, Object.values(ids));
  await tasks.beginUsual();
  return { ...estate, tasks };
}

/** Writes the key that signs what opens in a store; the section that names it. */
function signing(dir: string): ConfigOverrides {
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(join(dir, 'control.key'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  return { key: './control.key' };
}
