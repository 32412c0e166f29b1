import type { Message } from './message.ts';

/** The two filters of Envoy by which Istio marks what a policy of the action CUSTOM matches: of requests, of connections. */
const RBAC = /^envoy\.extensions\.filters\.(?:http|network)\.rbac\.v3\.RBAC$/;
const MARK = 'shadow_effective_policy_id';

/**
 * Whether a filter with `filter_enabled_metadata` runs for everything: the last filter before it that writes this metadata
 * is an RBAC filter whose shadow rules match whatever comes, under names that the matcher takes. So Istio writes an
 * AuthorizationPolicy of the action CUSTOM with `rules: [{}]`. Without the field a filter runs always.
 */
export function isAlwaysMarked(config: Message, before: readonly Message[]): boolean {
  const matcher = config.message('filter_enabled_metadata');
  if (matcher === null) return true;
  const path = matcher.list('path');
  const key = path[0]?.text('key') ?? '';
  const value = matcher.at('value', 'string_match');
  if (path.length !== 1 || value === null || matcher.flag('invert')) return false;
  const marking = before.findLast(
    (each) => RBAC.test(each.type) && `${each.text('shadow_rules_stat_prefix') ?? ''}${MARK}` === key,
  );
  const policies = marking?.at('shadow_rules', 'policies') ?? null;
  if (policies === null) return false;
  const isTaken = (name: string): boolean => {
    const [prefix, exact] = [value.text('prefix'), value.text('exact')];
    return prefix === null ? exact === name : name.startsWith(prefix);
  };
  return policies.names.every(isTaken) && policies.names.some((name) => matchesAll(policies.message(name)));
}

function matchesAll(policy: Message | null): boolean {
  if (policy === null || policy.has('condition') || policy.has('checked_condition')) return false;
  return policy.list('permissions').some(isAny) && policy.list('principals').some(isAny);
}

/** Whether a permission or a principal is `any`, alone or joined with others that are. */
function isAny(rule: Message): boolean {
  if (rule.flag('any')) return true;
  const all = rule.message('and_rules')?.list('rules') ?? rule.message('and_ids')?.list('ids') ?? [];
  const one = rule.message('or_rules')?.list('rules') ?? rule.message('or_ids')?.list('ids') ?? [];
  return (all.length > 0 && all.every(isAny)) || one.some(isAny);
}
