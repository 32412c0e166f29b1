import { TouchedAccounts } from '../../check/touched.ts';
import { aheadOfStart } from '../../config/against-inventory.ts';
import type { Config } from '../../config/schema.ts';
import type { State } from '../../state/model.ts';
import type { RegistryPart } from './registry.ts';

/** What was opened, of the configuration. `startedAtMs`: when the process started, in milliseconds since the epoch. */
export function touchedAccounts(
  { state: { touched } }: Config,
  state: State,
  { current }: Pick<RegistryPart, 'current'>,
  startedAtMs: number,
): TouchedAccounts {
  const { window: windowMs, nothingBefore } = touched;
  // An instant that lies far ahead would let every later loss pass: it is reported, and is as good as none.
  const believed = aheadOfStart(nothingBefore, startedAtMs) ? null : nothingBefore;
  return new TouchedAccounts({ state, tasks: current, windowMs, nothingBeforeMs: believed });
}
