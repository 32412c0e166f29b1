import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { askSocket } from '../support/control-socket.ts';
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
  const call = { method: 'POST', path: '/token', type: 'application/x-www-form-urlencoded', body: formText(form) };
  const { json } = await askSocket(dirname(sidecar.auditFile), ca.svid(workload(ORCHESTRATOR)), call);
  if (json.access_token === undefined) throw new Error(JSON.stringify(json));
  return String(json.access_token);
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
