import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundleDocument } from '../support/ca.ts';
import { type Prepare, workload } from '../support/estate.ts';
import { run } from '../support/run.ts';
import { jwk, jwtSvid, makeKey } from '../support/tokens.ts';
import { AGENT, allowed, denied, type Row, type Stage, send } from './rows.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const AUDIENCE = 'cedar-ext-authz-control';
const RESPONDER = '/ns/security/sa/responder';
const domainKey = makeKey();

/** Where the sidecar of the demo takes orders. */
export const controlListener = { control: { address: 'unix:./control.sock' } };

/** Lets the sidecar believe JWT-SVIDs of the trust domain, and take those for the control API there. */
export const takeOrders: Prepare = (dir, ca) => {
  const keys = [...bundleDocument([ca]).keys, jwk(domainKey, { use: 'jwt-svid' })];
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify({ keys }));
  return { control: { audience: AUDIENCE } };
};

/** The program itself, with what comes after its name; fails unless it ends with 0. */
export const cedarExtAuthz = (...args: readonly string[]): Promise<string> => run(process.execPath, [main, ...args]);

/** A workload that was served a second before is refused once the security team's responder has revoked it. */
export function orderRows(): readonly Row[] {
  const path = '/api/status';
  const asks = async ({ estate }: Stage) => send(estate.envoy, await estate.svid(AGENT), { path });
  const order = async ({ estate }: Stage): Promise<void> => {
    const dir = dirname(estate.sidecar.auditFile);
    const token = join(dir, 'responder.jwt');
    writeFileSync(token, jwtSvid({ key: domainKey, sub: workload(RESPONDER), aud: AUDIENCE }), { mode: 0o600 });
    const control = ['--control', `unix://${join(dir, 'control.sock')}`, '--token-file', token];
    await cedarExtAuthz('revoke', 'workload', workload(AGENT), '--reason', 'INC-2041', '--until', '1h', ...control);
  };
  const [who, task, request] = ['billing-agent (agent)', '–', `GET ${path}`];
  return [
    { who, task, request, expected: allowed, play: asks },
    {
      who,
      task,
      request: `${request}, revoked by API a second ago`,
      expected: denied('revoked_workload'),
      play: async (stage) => {
        await order(stage);
        return await asks(stage);
      },
    },
  ];
}
