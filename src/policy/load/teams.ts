import { restoreInventory } from '../../inventory/load.ts';
import type { Problem } from '../../source/problem.ts';
import type { ValidatedPolicies } from '../decide/validated.ts';
import { byName, type SourceFile } from '../text/source-file.ts';
import { revisionOf, type Sources } from '../text/sources.ts';
import { type Rejection, withWorkloads } from './load.ts';

/** Sources that passed, though perhaps not with the folder of every team as it is. */
export interface Judged {
  /** What is served: in place of the folder of a team that is held back, its last good policies. */
  readonly sources: Sources;
  readonly validated: ValidatedPolicies;
  /** What is wrong with the folders that are not served as they are, by team. */
  readonly heldBack: ReadonlyMap<string, readonly Problem[]>;
}

type Judge = (sources: Sources) => Promise<ValidatedPolicies | Rejection>;
type Problems = readonly Problem[];

/**
 * Judges sources so that a team binds itself only: where the folder of a team does not pass, the rest is served with the
 * last good policies and schemas of that team. Where it never had any (a start), all that its forbids could reach is
 * forbidden: what it owns, to everyone, and everything to its workloads. Tests of a team that is held back do not run, so
 * that they stop no forbid of the others. What does not pass whatever the teams do is rejected as a whole.
 */
export async function judgeByTeam(
  sources: Sources,
  unread: ReadonlyMap<string, Problems>,
  lastGood: Sources | null,
  judge: Judge,
): Promise<Judged | Rejection> {
  const attempt = async (heldBack: ReadonlyMap<string, Problems>): Promise<Judged | Rejection> => {
    const composed = compose(sources, lastGood, [...heldBack.keys()]);
    const validated = await judge(composed);
    if ('problems' in validated) return validated;
    const judged = { sources: withWorkloads(composed, validated), validated, heldBack };
    if (heldBack.size === 0) return judged;
    // A folder that names no team binds nobody: nobody's policies stand for it, so the change as a whole is refused.
    const teams = restoreInventory(validated.inventory)?.known.teams;
    const strangers = [...heldBack].filter(([team]) => teams?.has(team) !== true);
    if (strangers.length > 0) return { problems: strangers.flatMap(([, problems]) => problems), transient: false };
    return judged;
  };
  let heldBack = new Map(unread);
  const first = await attempt(heldBack);
  for (let last = first; 'problems' in last; ) {
    const { problems } = last;
    const culprits = teamsOf(problems.map(({ file }) => file)).filter((team) => !heldBack.has(team));
    if (culprits.length === 0) return admitOneByOne();
    const said = (team: string) => [team, problems.filter(({ file }) => teamOf(file) === team)] as const;
    heldBack = new Map([...heldBack, ...culprits.map(said)]);
    last = await attempt(heldBack);
    if (!('problems' in last)) return last;
  }
  return first;

  /** The files that are at fault do not tell which team is: from all of them held back, the innocent are let in again. */
  async function admitOneByOne(): Promise<Judged | Rejection> {
    const all = teamsOf([...sources.schemas, ...sources.policies, ...sources.tests].map(({ file }) => file));
    const candidates = all.filter((team) => heldBack.has(team) || isChanged(team, sources, lastGood));
    if (candidates.length === 0) return first;
    const without = await attempt(new Map([...unread, ...candidates.map((team) => [team, [] as Problems] as const)]));
    return 'problems' in without ? first : admit(without, candidates);
  }

  /** By halves: it takes a look for each doubling of the teams, not for each team. */
  async function admit(served: Judged, candidates: readonly string[]): Promise<Judged> {
    const next = new Map([...served.heldBack].filter(([team]) => !candidates.includes(team)));
    const all = await attempt(next);
    if (!('problems' in all)) return all;
    const [only, ...more] = candidates;
    if (only !== undefined && more.length === 0) {
      return { ...served, heldBack: new Map([...served.heldBack, [only, all.problems]]) };
    }
    const half = Math.ceil(candidates.length / 2);
    return admit(await admit(served, candidates.slice(0, half)), candidates.slice(half));
  }
}

/** Whether two sources decide alike: their tests do not decide. */
export function decideAlike(one: Sources, other: Sources): boolean {
  return revisionOf({ ...one, tests: [] }) === revisionOf({ ...other, tests: [] });
}

function compose(sources: Sources, lastGood: Sources | null, heldBack: readonly string[]): Sources {
  if (heldBack.length === 0) return sources;
  const held = new Set(heldBack);
  const isHeld = ({ file }: SourceFile): boolean => held.has(teamOf(file) ?? '');
  const others = (files: readonly SourceFile[]) => files.filter((file) => !isHeld(file));
  const theirs = lastGood === null ? heldBack.map(closed) : lastGood.policies.filter(isHeld);
  return {
    ...sources,
    schemas: [...others(sources.schemas), ...(lastGood?.schemas ?? []).filter(isHeld)].toSorted(byName),
    policies: [...others(sources.policies), ...theirs].toSorted(byName),
    tests: others(sources.tests),
  };
}

/** What stands for the policies of a team of which nothing good is known. */
function closed(team: string): SourceFile {
  const name = JSON.stringify(team);
  const text = `// Written by the sidecar: the folder of this team cannot be served, and what its forbids would stop is not known.
@id("closed-${team}-resources")
forbid (principal, action, resource in Mesh::Team::${name});
@id("closed-${team}-workloads")
forbid (principal in Mesh::Team::${name}, action, resource);
`;
  return { file: `teams/${team}/closed.cedar`, text };
}

function isChanged(team: string, sources: Sources, lastGood: Sources | null): boolean {
  const textOf = ({ schemas, policies, tests }: Sources): string =>
    JSON.stringify([...schemas, ...policies, ...tests].filter(({ file }) => teamOf(file) === team));
  return lastGood === null || textOf(sources) !== textOf(lastGood);
}

const teamOf = (file: string): string | null => /^teams\/([^/]+)\//.exec(file)?.[1] ?? null;

function teamsOf(files: readonly string[]): string[] {
  return [...new Set(files.map(teamOf))].filter((team) => team !== null).toSorted();
}
