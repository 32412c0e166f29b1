import type { ApprovalTerms } from '../decide/validated.ts';
import { nodeOf, objectsIn, stringsBeside } from './ast.ts';
import type { ParsedPolicy } from './parsed.ts';
import { actionFits, partsOfScope, typeFits } from './scopes.ts';

/** So many persons, uses, and hours there are at most. */
const QUORUMS = ['1', '2'];
const MAX_USES = 20;
const MAX_MS = 8 * 3_600_000;
/** What a grant is good for where nothing is said. */
const DEFAULT: ApprovalTerms = { quorum: 1, uses: 1, forMs: 600_000 };
const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** The annotations beside `@approval` that say what a grant is good for. */
export const TERMS = ['approval_quorum', 'approval_uses', 'approval_for'] as const;

/** What is wrong with the value of one of them; null: nothing. */
export function termProblem(name: string, value: string | null): string | null {
  switch (name) {
    case 'approval_quorum':
      return QUORUMS.includes(value ?? '') ? null : 'takes "1" or "2": nobody waits for more persons than two';
    case 'approval_uses':
      return usesOf(value) === null ? `takes a number from "1" to "${MAX_USES}"` : null;
    case 'approval_for':
      return millisecondsOf(value) === null ? 'takes a time from "1s" to "8h", such as "30m"' : null;
    default:
      return null;
  }
}

/** What a grant by this policy's `@approval` is good for. */
export function termsOf({ json }: ParsedPolicy): ApprovalTerms {
  const { approval_quorum: quorum, approval_uses: uses, approval_for: time } = json.annotations ?? {};
  return {
    quorum: quorum === '2' ? 2 : DEFAULT.quorum,
    uses: usesOf(uses ?? null) ?? DEFAULT.uses,
    forMs: millisecondsOf(time ?? null) ?? DEFAULT.forMs,
  };
}

function usesOf(text: string | null): number | null {
  const uses = /^[1-9]\d?$/.test(text ?? '') ? Number(text) : 0;
  return uses >= 1 && uses <= MAX_USES ? uses : null;
}

function millisecondsOf(text: string | null): number | null {
  const [, number, unit = ''] = /^([1-9]\d{0,4})([smh])$/.exec(text ?? '') ?? [];
  const ms = Number(number ?? 0) * (UNITS[unit] ?? 0);
  return ms > 0 && ms <= MAX_MS ? ms : null;
}

/**
 * Whether a control policy may permit some person to grant the approval of this name: by its scope, and by the names that it
 * compares `resource.name` with. What its other conditions say is not looked at.
 */
export function mayLetGrant(policy: ParsedPolicy, name: string): boolean {
  const { json } = policy;
  const { principal, action, resource } = partsOfScope(policy);
  if (json.effect !== 'permit' || !actionFits(action, 'grant', ['opens'])) return false;
  if (!typeFits(principal, 'Control::Person') || !typeFits(resource, 'Control::Approval')) return false;
  const conditions = json.conditions.filter(({ kind }) => kind === 'when').map(({ body }) => body);
  const names = [...objectsIn(conditions)].flatMap((part) => {
    const node = nodeOf(part);
    return node === null || node.operator === '!=' ? [] : stringsBeside(node, 'resource.name');
  });
  return names.length === 0 || names.includes(name);
}
