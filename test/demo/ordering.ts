import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { bundleDocument, pemBundle } from '../support/ca.ts';
import { type Prepare, workload } from '../support/estate.ts';
import { run } from '../support/run.ts';
import { jwk, jwtSvid, makeKey } from '../support/tokens.ts';
import { AGENT, allowed, type DemoEstate, denied, type Row, type Stage, send } from './rows.ts';

const main = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const AUDIENCE = 'cedar-ext-authz-control';
const AUTHZ = '/ns/platform/sa/authz';
const RESPONDER = '/ns/security/sa/responder';
const domainKey = makeKey();

/** Where the sidecar of the demo takes orders: over TLS, so that a certificate can prove who gives them. */
export const controlListener = {
  control: {
    address: 'unix:./control.sock',
    tls: { files: { certificate: './authz.crt', key: './authz.key' } },
  },
};

/** Lets the sidecar believe JWT-SVIDs of the trust domain, and take those for the control API there. */
export const takeOrders: Prepare = (dir, ca) => {
  const keys = [...bundleDocument([ca]).keys, jwk(domainKey, { use: 'jwt-svid' })];
  writeFileSync(join(dir, 'bundle.json'), JSON.stringify({ keys }));
  const own = ca.svid(workload(AUTHZ));
  for (const [name, text] of [
    ['authz.crt', own.pem],
    ['authz.key', own.pkcs8Pem],
    ['ca.pem', pemBundle(ca)],
  ] as const)
    writeFileSync(join(dir, name), text, { mode: 0o600 });
  return { control: { audience: AUDIENCE } };
};

/** The program itself, with what comes after its name; fails unless it ends with 0. */
export const cedarExtAuthz = (...args: readonly string[]): Promise<string> => run(process.execPath, [main, ...args]);

/** Where the sidecar of the demo takes orders, and how it proves itself, as options of the program. */
function controlOf({ sidecar }: DemoEstate): readonly string[] {
  const dir = dirname(sidecar.auditFile);
  const socket = ['--control', `unix://${join(dir, 'control.sock')}`];
  return [...socket, '--ca', join(dir, 'ca.pem'), '--server-id', workload(AUTHZ)];
}

/** How a workload reaches the control API of the demo's sidecar by its certificate. */
export const reachBySvid =
  (estate: DemoEstate) =>
  (path: string): readonly string[] => {
    const dir = dirname(estate.sidecar.auditFile);
    const own = estate.ca.svid(workload(path));
    const [cert, key] = [join(dir, 'caller.crt'), join(dir, 'caller.key')];
    writeFileSync(cert, own.pem);
    writeFileSync(key, own.pkcs8Pem, { mode: 0o600 });
    return [...controlOf(estate), '--cert', cert, '--key', key];
  };

/** A workload that was served a second before is refused once the security team's responder has revoked it. */
export function orderRows(): readonly Row[] {
  const path = '/api/status';
  const asks = async ({ estate }: Stage) => send(estate.envoy, await estate.svid(AGENT), { path });
  const order = async ({ estate }: Stage): Promise<void> => {
    const dir = dirname(estate.sidecar.auditFile);
    const token = join(dir, 'responder.jwt');
    writeFileSync(token, jwtSvid({ key: domainKey, sub: workload(RESPONDER), aud: AUDIENCE }), { mode: 0o600 });
    const control = [...controlOf(estate), '--token-file', token];
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
