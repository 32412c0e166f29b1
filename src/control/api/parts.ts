import type { Inventory } from '../../inventory/inventory.ts';
import type { ControlPolicies } from '../../policy/control/decide.ts';

/** What the control API stands on. */
export interface ControlParts {
  /** Inventory and control policies of one snapshot; null while none could be loaded. */
  readonly snapshot: () => { readonly inventory: Inventory; readonly policies: ControlPolicies } | null;
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
