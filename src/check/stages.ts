import type { Refusal } from '../base/outcome.ts';
import type { Soon } from '../base/soon.ts';
import type { CheckInput } from '../http/input.ts';
import type { Caller, OnVerified } from '../identity/caller.ts';
import type { Credentials, ReadCredentials } from '../identity/credentials.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Target } from '../inventory/model.ts';
import type { Enforcement } from '../policy/decide/permit.ts';
import type { Redemption } from '../state/redemption.ts';
import type { TaskContext } from '../task/model.ts';
import type { ReadTask } from '../task/read-task.ts';
import type { Approvals } from './approvals.ts';
import type { Behaviour } from './behaviour.ts';
import type { Recall } from './recall.ts';
import type { Redeem } from './redeem.ts';
import type { TouchedAccounts } from './touched.ts';

/** The stages, built by app/. Each takes what the one before proved, and the clock in milliseconds since the epoch. */
export interface Stages {
  readonly hosts: readonly string[];
  readonly enforcement: Enforcement;
  readonly taskHeaders: readonly string[];
  /** Headers with API keys: never forwarded. */
  readonly keyHeaders: readonly string[];
  readonly readCredentials: ReadCredentials;
  readonly identify: (
    input: CheckInput,
    credentials: Credentials,
    target: Target,
    known: Inventory,
    nowMs: number,
    onVerified: OnVerified,
  ) => Soon<Caller | Refusal>;
  readonly readTask: ReadTask;
  readonly recall: Recall;
  /** Null: nothing is noticed about callers. */
  readonly behaviour: Behaviour | null;
  /** What a permitted request uses of the budgets of its tasks. */
  readonly budgets: (task: TaskContext, target: Target, nowMs: number) => readonly Redemption[] | Refusal;
  /** What was opened before, and what a permitted request opens. */
  readonly touched: Pick<TouchedAccounts, 'read' | 'touching'>;
  readonly redeem: Redeem;
  /** Null: nobody can be asked, and what needs an approval is refused. */
  readonly approvals: Approvals | null;
}
