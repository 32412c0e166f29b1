import type { AuditBody } from './record.ts';
import { plainJson } from './text.ts';

/** A change of what decides, as one line of the audit shows it. */
export type AuditChange =
  /** Checks that begin from now on are decided by this snapshot. */
  | {
      readonly event: 'policy-loaded';
      readonly revision: string;
      readonly previous: string | null;
      readonly label: string | null;
      /** Guardrails that the configuration disables. */
      readonly disabled: readonly string[];
      /** Unsafe settings that are in force. */
      readonly unsafe: readonly string[];
    }
  /** What the files hold now is not served; `revision` goes on deciding. */
  | { readonly event: 'policy-refused'; readonly revision: string | null; readonly problems: readonly string[] }
  /** These emergency forbids hold from now on, each with its end. */
  | { readonly event: 'emergency-changed'; readonly policies: readonly string[] }
  /** Something of `emergency/` is not in force as it stands there. */
  | { readonly event: 'emergency-refused'; readonly problems: readonly string[] }
  /** The time for which the configuration disabled a guardrail is over. */
  | { readonly event: 'guardrail-bound'; readonly revision: string; readonly guardrails: readonly string[] }
  /** Callers of a trust domain are verified by this bundle from now on; null: it was withdrawn, and all are refused. */
  | { readonly event: 'bundle-changed'; readonly trustDomain: string; readonly revision: string | null }
  /** Who may ask at the check port (`peers`), or which authorities prove it (`ca`), is what this file holds from now on. */
  | { readonly event: 'check-port-changed'; readonly file: string; readonly revision: string | null }
  /** Revocations, by their ids: what was lifted went before its end. */
  | {
      readonly event: 'revocations-changed';
      readonly added: readonly string[];
      readonly changed: readonly string[];
      readonly lifted: readonly string[];
    }
  /** The file of revocations has faults: what it held before applies too, and nothing is lifted. */
  | { readonly event: 'revocations-refused'; readonly problems: readonly string[] };

/** The events that are changes of what decides. */
export const changeEvents: ReadonlySet<string> = new Set<AuditChange['event']>([
  'policy-loaded',
  'policy-refused',
  'emergency-changed',
  'emergency-refused',
  'guardrail-bound',
  'bundle-changed',
  'check-port-changed',
  'revocations-changed',
  'revocations-refused',
]);

/**
 * The events that tell of calls of the control API: one that was made, one that then failed, and refused ones without a line;
 * and of the sessions of people.
 */
export const controlEvents = ['control', 'control-failed', 'control-dropped', 'sign-in', 'sign-out'] as const;

/** Of what an operator writes: enough to recognise it, whatever its length. */
const MAX_TEXT = 512;
const MAX_ITEMS = 16;
/** Ids of revocations: a lift that stands in no line would be none that anybody finds. */
export const MAX_IDS = 256;

/** The body of the line for a change. `time` in milliseconds since the epoch. Texts and lists are cut. */
export function changeBody(time: number, change: AuditChange): AuditBody {
  const most = change.event === 'revocations-changed' || change.event === 'emergency-changed' ? MAX_IDS : MAX_ITEMS;
  const json = plainJson(change, (_, value: unknown) => {
    if (typeof value === 'string') return value.length <= MAX_TEXT ? value : `${value.slice(0, MAX_TEXT)}…`;
    if (!Array.isArray(value) || value.length <= most) return value;
    return [...value.slice(0, most), `… (${value.length} items)`];
  });
  return { time, decision: '', json };
}
