import { Refusal } from '../../../src/base/outcome.ts';
import type { Inventory } from '../../../src/inventory/inventory.ts';
import { type Cedar, type Engine, newInstance } from '../../../src/policy/decide/engine.ts';
import { Snapshot } from '../../../src/policy/decide/snapshot.ts';
import type { ValidatedPolicies } from '../../../src/policy/decide/validated.ts';
import { judgeCase, readCases } from '../../../src/policy/load/cases.ts';
import { install, type Loaded } from '../../../src/policy/load/load.ts';
import { questionsFor, type Scenario } from '../../../src/policy/load/scenario.ts';
import { validate } from '../../../src/policy/load/validate.ts';
import { explain } from '../../../src/tools/explain.ts';
import { findIdle, type Idle } from '../../../src/tools/idle.ts';
import { type Reached, reach } from '../../../src/tools/reach.ts';
import { type ReadPolicy, readPolicies } from '../../../src/tools/read-policies.ts';
import { type Replay, Replayer } from '../../../src/tools/replay.ts';
import { sourcesOf } from '../policy.ts';
import { type Ask, type Checked, NOW, reallyCheck } from './real.ts';

const cedar: Cedar = newInstance();

/** An estate in force, with what the tools are given of it. */
export interface World {
  readonly validated: ValidatedPolicies;
  readonly loaded: Loaded;
  readonly policies: readonly ReadPolicy[];
  readonly engine: Engine;
  /** `audit.queryParameters`. */
  readonly shown: ReadonlySet<string>;
}

/** The estate in force; policies that its inventory does not admit are left out. Null when it cannot be loaded. */
export function worldOf(
  inventory: string,
  files: Readonly<Record<string, string>>,
  engine: Engine,
  shown: ReadonlySet<string>,
): World | null {
  let left = files;
  for (let tries = 0; tries < 5; tries++) {
    const plain = sourcesOf(left, { inventory: { file: 'inventory.yaml', text: inventory } });
    const sources = { ...plain, settings: { ...plain.settings, allowWarnings: true } };
    const validated = validate(sources, cedar, 0);
    if (!Array.isArray(validated)) {
      const loaded = install(engine, sources, validated);
      if ('problems' in loaded) return null;
      return { validated, loaded, policies: readPolicies(sources, cedar), engine, shown };
    }
    const bad = new Set(validated.map(({ file }) => file));
    left = Object.fromEntries(Object.entries(left).filter(([file]) => !bad.has(file)));
  }
  return null;
}

/** The request as a person states it to the tools. */
function statedOf(ask: Ask): Scenario & { readonly request: string } {
  const { caller, through, credential, task, headers, client, upgrade } = ask;
  const request = `${ask.method} ${ask.host}${ask.target}`;
  const at = new Date(NOW).toISOString();
  return {
    ...{ caller, through: [...through], credential, upgrade, client, at, request, headers },
    task: task === null ? null : statedTask(task),
  };
}

/** A task as a person states it. */
export const statedTask = ({ resources, scopes, ...task }: NonNullable<Ask['task']>) => ({
  ...task,
  scopes: [...scopes],
  ...(resources === null ? {} : { resources: [...resources] }),
});

/** The request as a case of `policy test`. */
function caseOf(ask: Ask, more: object, { inventory, headers }: Snapshot<Inventory>) {
  const text = JSON.stringify({ cases: [{ name: 'a case', ...statedOf(ask), ...more }] });
  return readCases({ file: 'tests/a.yaml', text }, inventory, headers)[0]!;
}

/** What `policy test` says of a case that states the request, where it is not what the check decided. */
export function testContradiction(ask: Ask, real: Checked, { loaded: { snapshot } }: World): string | null {
  const { result, reason } = real;
  const found = caseOf(ask, { expect: result }, snapshot);
  if ('message' in found) return result === 'deny' ? null : `test cannot state what is allowed: ${found.message}`;
  const came = judgeCase(found, snapshot);
  const by = real.record.hops.flatMap(({ permits, forbids }) => (result === 'allow' ? permits : forbids));
  const [tool, check] = [
    [came.result, came.reason ?? 'permitted', ...came.by],
    [result, reason, ...new Set(by.toSorted())],
  ];
  return tool.join(' ') === check.join(' ') ? null : `test: ${tool.join(' ')}, check: ${check.join(' ')}`;
}

/** What `policy explain` says where the check said something else; and what it says of every policy, hop by hop. */
export function explainContradiction(ask: Ask, real: Checked, world: World) {
  const { validated, policies, engine, loaded } = world;
  const { inventory, headers } = loaded.snapshot;
  const questions = questionsFor(statedOf(ask), inventory, headers);
  if (typeof questions === 'string')
    return { fault: real.result === 'deny' ? null : `explain: ${questions}`, applying: [] };
  if (questions instanceof Refusal) {
    const same = questions.reason === real.reason;
    return { fault: same ? null : `explain: ${questions.reason}, check: ${real.reason}`, applying: [] };
  }
  const accounts = explain(policies, questions, { validated, purposes: inventory, engine, cedar });
  if (typeof accounts === 'string') return { fault: `explain: ${accounts}`, applying: [] };
  const { hops } = real.record;
  const faults = accounts.flatMap((hop, index) => {
    const ids = (effect: string) =>
      hop.flatMap(({ policy, result }) =>
        !policy.shadow && result === 'applies' && policy.json.effect === effect ? [policy.id] : [],
      );
    const was = hops[index];
    if (was === undefined) return [`explain asks policies, check: ${real.reason}`];
    if (ids('forbid').toSorted().join() !== was.forbids.join())
      return [`explain: forbids ${ids('forbid')}, check: ${was.forbids}`];
    const permits = was.forbids.length > 0 ? [] : ids('permit').toSorted();
    return permits.join() === was.permits.join() ? [] : [`explain: permits ${permits}, check: ${was.permits}`];
  });
  if (accounts.length !== hops.length) faults.push(`explain: ${accounts.length} hops, check: ${hops.length}`);
  const applying = accounts.map((hop) => hop.filter(({ result }) => result === 'applies').map(({ policy }) => policy));
  return { fault: faults[0] ?? null, applying };
}

/** A policy that applies, or the workload to which something is permitted, that `policy check` calls idle. */
export function idleContradiction(
  applying: readonly (readonly ReadPolicy[])[],
  real: Checked,
  idle: Idle,
  { inventory }: Snapshot<Inventory>,
): string | null {
  const ids = applying.flat().map(({ id }) => id);
  const wrong = ids.find((id) => idle.policies.some(({ message }) => message.startsWith(`${id} can never`)));
  if (wrong !== undefined) return `check: ${wrong} can never apply, and applies`;
  if (real.result !== 'allow') return null;
  const caller = real.decided.trail.found.caller?.workload.entry ?? '';
  const listed = idle.workloads.includes(caller) && inventory.entries().some(({ entry }) => entry === caller);
  return listed ? `check: nothing permits anything to ${caller}, which was allowed` : null;
}

/** The facts that a reach states of a request: nothing, the task, or all that is known. */
export function reachFacts(ask: Ask, level: number): Scenario {
  const { caller, task, through, credential, client } = ask;
  const at = new Date(NOW).toISOString();
  if (level === 0) return { caller, at };
  const purpose = task === null ? null : { purpose: task.purpose, assurance: task.assurance };
  if (level === 1) return { caller, at, task: purpose };
  const whole = purpose === null || task === null ? null : statedTask(task);
  return { caller, at, through: [...through], credential, client, task: whole, credentialAge: 60 };
}

/** An allow that `policy reach` leaves out. */
export function reachContradiction(real: Checked, reached: readonly Reached[] | string): string | null {
  if (typeof reached === 'string') return `reach: ${reached}`;
  const { target } = real.decided.trail.found;
  if (real.result !== 'allow' || target === undefined) return null;
  const api = target.resource.apis.at(-1) ?? target.resource.host.name;
  const row = reached.some(
    (one) =>
      one.api === api &&
      one.effect === target.effect &&
      one.sensitivity === target.resource.sensitivity &&
      one.actions.includes(target.action),
  );
  return row ? null : `reach leaves out ${target.action} ${target.resource.id} (${api}), which was allowed`;
}

export const reachOf = (stated: Scenario, { loaded, ...world }: World): readonly Reached[] | string =>
  reach(stated, { ...world, snapshot: loaded.snapshot });

export const idleOf = ({ policies, validated, loaded, engine }: World): Idle | string =>
  findIdle(policies, validated, loaded.snapshot.inventory, engine);

function replayOf(line: string, { loaded }: World): Replay {
  const replayer = new Replayer(loaded.snapshot);
  replayer.add(line);
  return replayer.result();
}

/** Whether a line of the audit does not hold what policies read: they read the query, and digests stand for its values. */
function lacksValues(real: Checked, { policies }: World): boolean {
  return real.hidden && policies.some(({ json }) => JSON.stringify(json).includes('"query"'));
}

/** A line that does not replay to what was decided then. */
export function sameContradiction(real: Checked, world: World): string | null {
  const { judged, changes, inexact, opened, untold, left } = replayOf(real.line, world);
  if (changes.length + inexact + opened.length + Object.keys(untold).length > 0)
    return `replay: changed under the same revision (${real.reason} to ${changes[0]?.now.reason})`;
  const early = real.record.hops.length === 0;
  const inexactly = !early && lacksValues(real, world);
  const right =
    judged === (early || inexactly ? 0 : 1) &&
    left['before policy'] === (early ? 1 : 0) &&
    left['not exact'] === (inexactly ? 1 : 0);
  return right ? null : `replay: the line is not counted: ${judged} judged, ${JSON.stringify(left)}`;
}

/** A replay by a later estate that says otherwise than a check there. */
export function laterContradiction(real: Checked, later: Checked, world: World): string | null {
  const { judged, changes, opened, untold, left } = replayOf(real.line, world);
  if (real.record.hops.length > 0 && lacksValues(real, world))
    return left['not exact'] === 1 ? null : 'replay: a line without the values of its query is judged';
  const said = `${real.reason} then, ${later.reason} now`;
  if (judged === 0) {
    const silent = opened.length + Object.keys(untold).length === 0;
    return silent && later.reason !== real.reason && later.record.hops.length > 0
      ? `replay stays silent: ${said}`
      : null;
  }
  const [change] = changes;
  if (change === undefined) return later.reason === real.reason ? null : `replay: none would change: ${said}`;
  const { result } = change.now;
  if (result !== later.result) return `replay: ${change.now.reason}: ${said}`;
  return later.record.hops.length === 0 || change.now.reason === later.reason
    ? null
    : `replay: ${change.now.reason}: ${said}`;
}

/** An approval that is asked for and opens nothing. */
export function approvalContradiction(ask: Ask, real: Checked, { loaded: { snapshot } }: World): string | null {
  if (real.reason !== 'approval_required') return null;
  const missing = /approvals that are missing: (.+)$/.exec(real.record.detail ?? '')?.[1]?.split(', ') ?? [];
  const found = caseOf(ask, { expect: 'allow', approvals: missing }, snapshot);
  if ('message' in found) return 'test: no case';
  const came = judgeCase(found, snapshot);
  return came.result === 'allow' ? null : `an approval is asked for, and with it: ${came.reason}`;
}

/** A check that the shadow findings tell wrongly: each shadowed policy is enforced alone, and the same asked again. */
export async function shadowContradictions(
  asks: readonly Ask[],
  reals: readonly Checked[],
  world: World,
): Promise<string[]> {
  const { validated, policies, engine, loaded, shown } = world;
  const faults: string[] = [];
  for (const { id, text } of policies.filter(({ shadow }) => shadow)) {
    const { revision, inventory, headers } = loaded.snapshot;
    const alone = { ...validated, enforced: { ...validated.enforced, [id]: text }, shadowed: {} };
    const enforced = new Snapshot({ revision, inventory, headers, validated: alone, engine });
    for (const [at, ask] of asks.entries()) {
      const real = reals[at] as Checked;
      const then = await reallyCheck(ask, enforced, shown);
      const finding = real.record.policy?.shadow.filter(({ policy }) => policy === id) ?? [];
      const turned = then.result !== real.result;
      if (turned !== (finding.length === 1) || finding.length > 1)
        faults.push(
          `shadow: ${finding.length} findings of ${id}, enforced it ${turned ? 'turns' : 'does not turn'} ${real.reason}`,
        );
    }
  }
  return faults;
}
