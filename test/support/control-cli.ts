import { auditFind } from '../../src/cli/audit-find.ts';
import { type Commands, dispatch } from '../../src/cli/commands.ts';
import { approvals, approve, refuseApproval } from '../../src/cli/control/approvals.ts';
import { decisions, revocations, workloads } from '../../src/cli/control/lists.ts';
import { lift, revoke } from '../../src/cli/control/revoke.ts';
import { signInCommand, signOutCommand } from '../../src/cli/control/sign-in.ts';
import { explainOverControl, stateCommand } from '../../src/cli/control/state.ts';
import { taskCommands, tasks } from '../../src/cli/control/tasks.ts';
import type { Finished } from './run.ts';

const commands: Commands = {
  revoke,
  lift,
  revocations,
  decisions,
  workloads,
  state: stateCommand,
  explain: explainOverControl,
  tasks,
  task: taskCommands,
  approvals,
  approve,
  refuse: refuseApproval,
  'sign-in': signInCommand,
  'sign-out': signOutCommand,
  find: auditFind,
};

/**
 * Runs a command of the control API, or `audit find`, in this process: its exit code, and what it would print. `onError` is
 * told of what it prints on standard error while it runs.
 */
export async function controlCli(
  args: readonly string[],
  onError: (text: string) => void = () => {},
): Promise<Finished> {
  let [stdout, stderr] = ['', ''];
  const io = {
    out: (text: string) => {
      stdout += text;
    },
    err: (text: string) => {
      stderr += text;
      onError(text);
    },
    env: {},
  };
  const code = await dispatch(commands, args, { usage: '', within: '' }, io);
  return { code, stdout, stderr };
}
