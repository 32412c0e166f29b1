import type { Problem } from '../../source/problem.ts';
import type { PolicyJson } from '../decide/engine.ts';
import { faultIn } from '../text/split-policies.ts';
import type { ParsedPolicy } from './parsed.ts';

const FOLDER = 'teams';
/** What stands there at the top is a control policy, and no policy of requests. */
const CONTROL = 'control';

/**
 * Delegated authorship: what stands in `teams/TEAM/` reaches no farther than what the team owns. A permit there says
 * `resource in Mesh::Team::"TEAM"` in its scope; a forbid that, or the same of its principal, so that a folder that was
 * given away cannot stop the others. A folder that looks like it and is not it would bind nobody, so it is refused.
 */
export function teamProblems(policy: ParsedPolicy, teams: ReadonlySet<string>): Problem[] {
  return policy.guardrail ? [] : faultIn(policy, 0, placeFault(policy) ?? teamFault(policy, teams));
}

/** A control policy stands in `control/`, which is the platform's own, and in no folder of a team. */
export function controlPlaceProblems(policy: ParsedPolicy): Problem[] {
  return policy.guardrail ? [] : faultIn(policy, 0, placeFault(policy));
}

function placeFault({ source }: ParsedPolicy): string | null {
  const folders = source.file.split('/').slice(0, -1);
  const isMisplaced = (wanted: string): boolean =>
    folders.some((name, depth) => name.toLowerCase() === wanted && (depth > 0 || name !== wanted));
  if (isMisplaced(CONTROL)) {
    return folders[0] === FOLDER
      ? `a team writes no control policies, which the platform owns; move it to ${CONTROL}/ at the top, or rename the folder`
      : `only a folder '${CONTROL}' at the top holds control policies; move it there, or rename the folder`;
  }
  return isMisplaced(FOLDER) ? `only a folder '${FOLDER}' at the top binds what stands in it; move it there` : null;
}

function teamFault({ source, json }: ParsedPolicy, teams: ReadonlySet<string>): string | null {
  const [folder, team, ...rest] = source.file.split('/');
  if (folder !== FOLDER) return null;
  if (team === undefined || rest.length === 0)
    return `${source.file} stands in no team's folder; move it to teams/TEAM/`;
  if (!teams.has(team)) return `no team is called '${team}'; list it in the inventory, or correct the folder's name`;
  const { effect, principal, resource } = json;
  if (isIn(resource, team) || (effect === 'forbid' && isIn(principal, team))) return null;
  const wanted = `resource in Mesh::Team::"${team}"`;
  return effect === 'permit'
    ? `a permit of a team reaches its own resources only; write ${wanted} in the scope, and what narrows it in when { }`
    : `a forbid of a team reaches its own resources or workloads only; write ${wanted}, or the same of principal, in the scope`;
}

function isIn(scope: PolicyJson['principal'] | PolicyJson['resource'], team: string): boolean {
  const within = scope.op === 'in' ? scope : scope.op === 'is' ? scope.in : undefined;
  if (within === undefined || !('entity' in within)) return false;
  const { entity } = within;
  const uid = '__entity' in entity ? entity.__entity : entity;
  return uid.type === 'Mesh::Team' && uid.id === team;
}
