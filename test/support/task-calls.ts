import {
  ALL_TO_OPERATOR,
  type ControlAsk,
  type ControlWorldOptions,
  OPERATOR,
  startControlWorld,
} from './control-world.ts';
import { requireRegistration } from './registering.ts';
import { workload } from './world.ts';
import { AGENT, ORCHESTRATOR, TTS } from './world-asks.ts';

const HOUR_MS = 3_600_000;

/** As the example: agents begin tasks for themselves, and who is in a task keeps and ends it; an operator may everything. */
const POLICIES = `${ALL_TO_OPERATOR}
@id("agents-start-their-own")
permit (principal in Control::Group::"finance-agents", action == Control::Action::"start", resource)
when
{
  resource == principal && context.purpose in Control::Purpose::"finance" && context.seconds <= 3600 &&
  context.issuer == "${TTS}"
};
@id("orchestrator-starts")
permit (principal == Control::Workload::"${workload(ORCHESTRATOR)}", action == Control::Action::"start", resource)
when { context.purpose in Control::Purpose::"finance" };
@id("those-in-them")
permit (
  principal is Control::Workload,
  action in [Control::Action::"view", Control::Action::"extend", Control::Action::"end"],
  resource is Control::Task
)
when
{
  (resource has workloads && resource.workloads.contains(principal)) ||
  (resource has startedBy && resource.startedBy == principal)
};
`;

export const inAnHour = (): string => new Date(Date.now() + HOUR_MS - 60_000).toISOString();

/** What begins a task of the billing agent. */
export const taskOrder = (more: Readonly<Record<string, unknown>> = {}): Record<string, unknown> => ({
  issuer: TTS,
  id: 't-42',
  purpose: 'reconcile-invoices',
  workloads: [workload(AGENT)],
  until: inAnHour(),
  reason: 'invoices of October',
  ...more,
});

/** A task as answers show it. */
export type ShownTask = Readonly<Record<string, unknown>> & { readonly key: string; readonly state: string };

/** A mesh with its control port over TLS, in which tasks of the Transaction Token Service must be registered. */
export async function startTaskWorld(options: ControlWorldOptions = {}) {
  const world = await startControlWorld({
    over: 'tls',
    policies: POLICIES,
    ...options,
    edit: (config) => {
      requireRegistration(config);
      options.edit?.(config);
    },
  });
  const by = (path: string, call: ControlAsk) => world.recorded({ svid: world.svid(path), ...call });
  return {
    ...world,
    by,
    registry: world.tasks,
    start: (path: string, body: unknown = taskOrder(), more: Partial<ControlAsk> = {}) =>
      by(path, { method: 'POST', path: '/tasks', body, ...more }),
    heartbeat: (path: string, key: string, more: Partial<ControlAsk> = {}) =>
      by(path, { method: 'POST', path: `/tasks/${key}/heartbeat`, ...more }),
    end: (path: string, key: string, more: Partial<ControlAsk> = {}) =>
      by(path, { method: 'POST', path: `/tasks/${key}/end`, body: { reason: 'done' }, ...more }),
    task: async (key: string) => (await by(OPERATOR, { path: `/tasks/${key}` })).json as ShownTask,
    tasks: async (path: string, query = '') => (await by(path, { path: `/tasks${query}` })).json.items as ShownTask[],
  };
}
