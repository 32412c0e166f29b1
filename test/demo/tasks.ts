import { type Prepare, workload } from '../support/estate.ts';
import { TTS } from '../support/task-issuer.ts';
import { until } from '../support/until.ts';
import { believeAccessTokens, issuer } from './dpop.ts';
import { cedarExtAuthz } from './ordering.ts';
import { AGENT, allowed, type DemoEstate, denied, type Row, type Stage, send } from './rows.ts';

const PATH = '/api/invoices/42';
const PURPOSE = 'reconcile-invoices';

/** As `believeAccessTokens`; of Transaction Tokens, only those of tasks that somebody began. */
export const believeBegunTasks: Prepare = (dir, ca) => {
  const { task } = believeAccessTokens(dir, ca) as { task: { issuers: readonly { kind: string }[] } };
  const issuers = task.issuers.map((one) => (one.kind === 'txn-token' ? { ...one, registration: 'required' } : one));
  return { task: { ...task, issuers } };
};

/** How a workload reaches the control API, as options of the program. */
export type Reach = (path: string) => readonly string[];

/** The billing agent's tasks, which it begins and ends by its certificate; each has one token, good for minutes. */
export function agentTasks(reach: Reach) {
  const own = reach(AGENT);
  const tokens = new Map<string, string>();
  const tokenOf = (id: string): string => {
    const token = tokens.get(id) ?? issuer.txnToken({ workload: workload(AGENT), id, purpose: PURPOSE });
    tokens.set(id, token);
    return token;
  };
  const why = ['--reason', 'shown in the demo'];
  return {
    /** Asks with the token of a task. */
    ask: async (id: string, { estate }: { readonly estate: DemoEstate }) =>
      send(estate.envoy, await estate.svid(AGENT), { path: PATH, headers: { 'txn-token': tokenOf(id) } }),
    begin: async (id: string, ...more: readonly string[]) => {
      const task = ['--issuer', TTS, '--id', id, '--purpose', PURPOSE, '--workload', workload(AGENT)];
      await cedarExtAuthz('task', 'start', ...task, '--until', '30m', ...why, ...more, ...own);
    },
    end: (id: string) => cedarExtAuthz('task', 'end', TTS, id, ...why, ...own),
    /** Waits until the lease of a task has run out. */
    lapse: (id: string) =>
      until('the lease to lapse', async () => {
        const lapsed = await cedarExtAuthz('tasks', '--state', 'lapsed', ...own);
        return lapsed.includes(` ${id} `) ? true : null;
      }),
  };
}

/** What is asked in a task that is registered. */
export const ofTask = { who: 'billing-agent (agent)', task: `${PURPOSE} (registered)` };
export const asking = `GET ${PATH}`;

/** A token opens nothing before its task begins, nor a second after that ends; a lease lapses by itself, and a budget runs out. */
export function taskRows(reach: (estate: DemoEstate) => Reach): readonly Row[] {
  const after =
    (id: string, order: (tasks: ReturnType<typeof agentTasks>) => Promise<unknown> = async () => {}) =>
    async (stage: Stage) => {
      const tasks = known ?? agentTasks(reach(stage.estate));
      known = tasks;
      await order(tasks);
      return await tasks.ask(id, stage);
    };
  let known: ReturnType<typeof agentTasks> | null = null;
  return [
    { ...ofTask, request: `${asking}, task not begun`, expected: denied('task_unregistered'), play: after('t-42') },
    {
      ...ofTask,
      request: `${asking}, task begun`,
      expected: allowed,
      play: after('t-42', (tasks) => tasks.begin('t-42')),
    },
    {
      ...ofTask,
      request: `${asking}, task ended a second ago`,
      expected: denied('task_ended'),
      play: after('t-42', (tasks) => tasks.end('t-42')),
    },
    {
      ...ofTask,
      request: `${asking}, another, with a lease of 5 s`,
      expected: allowed,
      play: after('t-43', (tasks) => tasks.begin('t-43', '--lease', '5s')),
    },
    {
      ...ofTask,
      request: `${asking}, it sent no heartbeat`,
      expected: denied('task_lapsed'),
      play: after('t-43', (tasks) => tasks.lapse('t-43')),
    },
    {
      ...ofTask,
      request: `${asking}, another, for one call`,
      expected: allowed,
      play: after('t-44', (tasks) => tasks.begin('t-44', '--calls', '1')),
    },
    { ...ofTask, request: `${asking}, its second call`, expected: denied('task_budget_spent'), play: after('t-44') },
  ];
}
