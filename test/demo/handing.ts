import { writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { dirname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import { connect } from 'node:tls';
import { type Prepare, workload } from '../support/estate.ts';
import { claimsIn, exchangeForm, formText, pemOf, startForm } from '../support/token-world.ts';
import { makeKey } from '../support/tokens.ts';
import { cedarExtAuthz } from './ordering.ts';
import { AGENT, allowed, type DemoEstate, denied, type Row, type Stage, send } from './rows.ts';
import { believeBegunTasks, type Reach } from './tasks.ts';

const ORCHESTRATOR = '/ns/agents/sa/orchestrator';
const PATH = '/api/invoices/42';

/** As `believeBegunTasks`; and the sidecar of the demo is a token service too. */
export const issueTasks: Prepare = (dir, ca) => {
  const { task } = believeBegunTasks(dir, ca) as { task: { issuers: readonly object[] } };
  writeFileSync(join(dir, 'tts.pem'), pemOf(makeKey()), { mode: 0o600 });
  return { task: { ...task, issuers: [...task.issuers, { kind: 'built-in' }] }, tokenService: { keys: './tts.pem' } };
};

/** A token of the service, over its Unix socket, by the orchestrator's certificate. */
async function tokenFor({ sidecar, ca }: DemoEstate, form: Parameters<typeof formText>[0]): Promise<string> {
  const { pem: cert, pkcs8Pem: key } = ca.svid(workload(ORCHESTRATOR));
  const path = join(dirname(sidecar.auditFile), 'control.sock');
  // Its SPIFFE ID, and no name, is what the certificate of the socket says.
  const asking = request('https://localhost/token', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    createConnection: () => connect({ path, cert, key, rejectUnauthorized: false }),
  });
  const answer = await new Promise<unknown>((done, failed) => {
    asking.once('error', failed);
    asking.once('response', (response) => json(response).then(done, failed));
    asking.end(formText(form));
  });
  const { access_token: token } = answer as { access_token?: string };
  if (token === undefined) throw new Error(JSON.stringify(answer));
  return token;
}

/** The orchestrator begins a task at the token service, and hands it on: the agent's token ends with it. */
export function handingRows(reach: (estate: DemoEstate) => Reach): readonly Row[] {
  let token = '';
  const use =
    (path: string) =>
    async ({ estate }: Stage) =>
      send(estate.envoy, await estate.svid(path), { path: PATH, headers: { 'txn-token': token } });
  const task = 'reconcile-invoices (handed on)';
  const asking = `GET ${PATH}`;
  const agent = { who: 'billing-agent (agent)', task };
  return [
    {
      ...agent,
      request: `${asking}, from the orchestrator`,
      expected: allowed,
      play: async (stage) => {
        const first = await tokenFor(stage.estate, startForm(ORCHESTRATOR));
        token = await tokenFor(stage.estate, exchangeForm(first, { actor: workload(AGENT) }));
        return use(AGENT)(stage);
      },
    },
    {
      who: 'orchestrator (agent)',
      task,
      request: `${asking}, a token that it handed on`,
      expected: denied('task_of_another'),
      play: use(ORCHESTRATOR),
    },
    {
      ...agent,
      request: `${asking}, task ended a second ago`,
      expected: denied('task_ended'),
      play: async (stage) => {
        const { iss, txn } = claimsIn(token);
        const by = reach(stage.estate)(ORCHESTRATOR);
        await cedarExtAuthz('task', 'end', String(iss), String(txn), '--reason', 'shown in the demo', ...by);
        return use(AGENT)(stage);
      },
    },
  ];
}
