import type { Commands } from '../commands.ts';
import { approvals, approve, refuseApproval } from './approvals.ts';
import { behaviourCommands } from './behaviour.ts';
import { breakGlass, review } from './break-glass.ts';
import { decisions, revocations, workloads } from './lists.ts';
import { lift, revoke } from './revoke.ts';
import { signInCommand, signOutCommand } from './sign-in.ts';
import { explainOverControl, stateCommand } from './state.ts';
import { taskCommands, tasks } from './tasks.ts';

/** The commands that ask a control API. */
export const controlCommands: Commands = {
  revoke,
  lift,
  revocations,
  decisions,
  workloads,
  state: stateCommand,
  explain: explainOverControl,
  behaviour: behaviourCommands,
  tasks,
  task: taskCommands,
  approvals,
  approve,
  refuse: refuseApproval,
  'break-glass': breakGlass,
  review,
  'sign-in': signInCommand,
  'sign-out': signOutCommand,
};
