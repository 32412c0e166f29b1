import type { Inventory } from '../../inventory/inventory.ts';
import type { ControlPolicies } from '../../policy/control/decide.ts';
import type { Scenario } from '../../policy/load/scenario.ts';
import type { Activity } from '../../state/activity/model.ts';
import type { RevocationBook } from '../../state/revocation-book.ts';
import type { RevocableNames } from '../../state/revocation-names.ts';

/** What takes too long for the thread that answers checks. Each gives plain data, or the problem that there is with it. */
export interface Apart {
  explain(scenario: Scenario): Promise<unknown>;
  reach(caller: string): Promise<unknown>;
}

/** What the control API stands on. */
export interface ControlParts {
  /** Inventory and control policies of one snapshot; null while none could be loaded. */
  readonly snapshot: () => { readonly inventory: Inventory; readonly policies: ControlPolicies } | null;
  readonly book: RevocationBook;
  readonly activity: Activity;
  readonly apart: Apart;
  /** Names that an order may not misspell; null while none could be loaded. */
  readonly known: () => RevocableNames | null;
  /** What `GET /state` shows: plain data without secrets. */
  readonly state: () => StateShown;
}

/** What `GET /state` shows. */
export interface StateShown {
  readonly version: string;
  readonly ready: boolean;
  /** What is missing, for a person. */
  readonly missing: readonly string[];
  /** Of the policies in force. */
  readonly revision: string | null;
  /** The parts of the process, as `/status` has them. */
  readonly parts: Readonly<Record<string, unknown>>;
}
