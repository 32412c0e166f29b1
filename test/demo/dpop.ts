import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAYMENTS, type Prepare, TRUST_DOMAIN, workload } from '../support/estate.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import { dpopProof, makeKey, thumbprint } from '../support/tokens.ts';
import { AGENT, allowed, type DemoEstate, denied, type Row, type Stage, send } from './rows.ts';

const ORIGIN = `https://${PAYMENTS}`;
const PATH = '/api/invoices/42';
/** The one whose task tokens the demo's sidecar believes. */
export const issuer = new TaskIssuer(TRUST_DOMAIN);
const holder = makeKey();

/** Lets the sidecar believe an issuer of access tokens, and ask for a nonce in each proof. */
export const believeAccessTokens: Prepare = (dir) => {
  const file = join(dir, 'inventory.yaml');
  const host = `  - host: ${PAYMENTS}\n`;
  writeFileSync(file, readFileSync(file, 'utf8').replace(host, `${host}    origin: ${ORIGIN}\n`));
  return { task: { ...issuer.configure(dir), dpop: { nonce: { required: true } } } };
};

/** A DPoP client that learns its nonce from the 401 that it gets first (RFC 9449 section 9). */
export function dpopAgent() {
  const claims = { cnf: { jkt: thumbprint(holder) } };
  const audience = workload('/ns/payments/sa/api');
  const token = issuer.accessToken(audience, { workload: workload(AGENT), scope: 'invoices', mutation: { claims } });
  let nonce: string | undefined;
  let last = '';
  const ask = async (estate: DemoEstate) => {
    const headers = { authorization: `DPoP ${token}`, dpop: last };
    const answer = await send(estate.envoy, await estate.svid(AGENT), { path: PATH, headers });
    nonce = answer.headers['dpop-nonce']?.toString() ?? nonce;
    return answer;
  };
  return {
    /** Asks with a new proof, which holds the nonce that came last. */
    ask: ({ estate }: Stage) => {
      const proof = { key: holder, now: Date.now(), method: 'GET', uri: ORIGIN + PATH, accessToken: token };
      last = dpopProof({ ...proof, ...(nonce === undefined ? {} : { nonce }) });
      return ask(estate);
    },
    /** Asks with the last proof once more. */
    again: ({ estate }: Stage) => ask(estate),
  };
}

export const dpopTask = { who: 'billing-agent (agent)', task: 'reconcile-invoices (DPoP)' };
/** Told to prove itself again, with a nonce. */
export const askedForNonce: Pick<Row, 'expected' | 'answered'> = {
  expected: denied('task_proof_nonce', 401),
  answered: ({ headers }) =>
    headers['dpop-nonce'] !== undefined && /use_dpop_nonce/.test(headers['www-authenticate'] ?? ''),
};

export function dpopRows(): readonly Row[] {
  const agent = dpopAgent();
  return [
    { ...dpopTask, request: `GET ${PATH}, first DPoP proof`, ...askedForNonce, play: agent.ask },
    { ...dpopTask, request: `GET ${PATH}, proof with the nonce`, expected: allowed, play: agent.ask },
  ];
}
