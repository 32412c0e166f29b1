import { systemClock } from '../../base/clock.ts';
import { loadInventory } from '../../inventory/load.ts';
import { type Problem, problemAtStart, sortProblems } from '../../source/problem.ts';
import { authorizationCall } from '../decide/cedar-request.ts';
import { scopeOf } from '../decide/decider.ts';
import type { EmergencyPolicy, EmergencySchema } from '../decide/emergency.ts';
import { type Cedar, Engine } from '../decide/engine.ts';
import { footprintOf } from '../decide/footprint.ts';
import { touchedNeed } from '../decide/touched.ts';
import { absenceProblems, MEANT } from '../lint/absence.ts';
import { annotationProblems } from '../lint/annotations.ts';
import { mistakesIn, silentMistakes } from '../lint/find-mistakes.ts';
import { literalProblems, readingProblems } from '../lint/literals.ts';
import { nameProblems } from '../lint/names.ts';
import type { ParsedPolicy } from '../lint/parsed.ts';
import { joinSchemas } from '../lint/schemas.ts';
import type { Names } from '../lint/strings.ts';
import type { SourceFile } from '../text/source-file.ts';
import { NO_SETTINGS } from '../text/sources.ts';
import { problemIn } from '../text/split-policies.ts';
import { annotationOffset } from '../text/tokens.ts';
import { probes, warmUp } from './dry-run.ts';
import { checkAgainstSchema, namedBy, readSet, repeatedIds } from './parsed-set.ts';
import { EMERGENCY_FOLDER, readEmergency } from './read.ts';

/** Of the whole folder: so many are parsed and asked beside any snapshot without a wait. */
export const MAX_EMERGENCY_POLICIES = 50;
export const MAX_EMERGENCY_BYTES = 64 * 1024;

const ANNOTATIONS = ['id', 'until', MEANT, 'control', 'description'];
const DAY_MS = 86_400_000;
/** What holds for longer is no emergency: it belongs among the policies. */
const MAX_DAYS = 30;
const WARM_ROUNDS = 8;

/** What one file holds, or what is wrong with it. */
export type EmergencyVerdict = readonly EmergencyPolicy[] | { readonly problems: readonly Problem[] };

/** What was judged: each file by itself, so that one that is broken holds back no other. */
export interface JudgedEmergency {
  readonly schema: EmergencySchema;
  readonly files: ReadonlyMap<string, EmergencyVerdict>;
}

/**
 * Judges files of emergency forbids by the schema of this release alone: neither the folder's policies and tests nor the
 * inventory hold them back, so that names of workloads and apis are not compared with it. `nowMs`: milliseconds since the
 * epoch. Runs on an instance that is thrown away, since hostile text can kill one.
 */
export function judgeEmergency(
  files: readonly SourceFile[],
  shipped: SourceFile,
  cedar: Cedar,
  nowMs: number,
): JudgedEmergency | Problem[] {
  const schema = joinSchemas(cedar, shipped, []);
  if (Array.isArray(schema)) return schema;
  const judged = files.map((file) => [file.file, judgeFile(file, schema.text, cedar, nowMs)] as const);
  return { schema, files: new Map(judged) };
}

function judgeFile(file: SourceFile, schema: string, cedar: Cedar, nowMs: number): EmergencyVerdict {
  const { parsed, problems: unread } = readSet(
    { guardrails: [], policies: [file], settings: NO_SETTINGS },
    cedar,
    mistakesIn,
  );
  const problems = [...unread];
  if (parsed.length > MAX_EMERGENCY_POLICIES) problems.push(problemAtStart(file.file, TOO_MANY));
  if (problems.length > 0) return { problems: sortProblems(problems) };
  const { errors, warnings, mistaken } = checkAgainstSchema(cedar, schema, parsed, mistakesIn);
  problems.push(...errors, ...warnings);
  for (const policy of parsed) {
    if (mistaken.has(policy.id)) continue;
    problems.push(...emergencyProblems(policy, nowMs), ...annotationProblems(policy, ANNOTATIONS));
    problems.push(...readingProblems(policy), ...literalProblems(policy), ...absenceProblems(policy));
    problems.push(...silentMistakes(policy));
  }
  if (problems.length > 0) return { problems: sortProblems(problems) };
  const crashes = tryOut(parsed, schema);
  return crashes.length > 0 ? { problems: crashes } : parsed.map(emergencyPolicy);
}

export const TOO_LARGE = `more than ${MAX_EMERGENCY_BYTES} bytes are in ${EMERGENCY_FOLDER}/; name groups, hosts or paths`;
export const TOO_MANY = `more than ${MAX_EMERGENCY_POLICIES} policies are in ${EMERGENCY_FOLDER}/; move those that stay to the others`;

/** What is asked of such a policy beyond what is asked of any. */
function emergencyProblems(policy: ParsedPolicy, nowMs: number): Problem[] {
  const problems: Problem[] = [];
  if (policy.json.effect === 'permit')
    problems.push(problemIn(policy, 0, `${EMERGENCY_FOLDER}/ holds forbids alone; move this permit to the others`));
  if (touchedNeed(footprintOf(policy.json)).read !== 'never')
    problems.push(
      problemIn(policy, 0, 'an emergency forbid reads neither what was opened before nor the context as a whole'),
    );
  const until = policy.json.annotations?.until;
  const at = annotationOffset(policy.tokens, 'until');
  const untilMs = untilOf(policy);
  const example = new Date(nowMs + DAY_MS).toISOString().replace(/\.\d+/, '');
  if (untilMs === null) {
    const said = until === undefined ? 'it does not say until when it holds' : 'its @until is no instant in UTC';
    problems.push(problemIn(policy, at, `${said}; write @until("${example}")`));
  } else if (untilMs > nowMs + MAX_DAYS * DAY_MS) {
    problems.push(problemIn(policy, at, `it holds for more than ${MAX_DAYS} days; move it to the other policies`));
  }
  return problems;
}

function untilOf({ json }: ParsedPolicy): number | null {
  const until = json.annotations?.until ?? '';
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(until) ? Date.parse(until) : Number.NaN;
  // A day that no month has is read as one of the next.
  return !Number.isNaN(ms) && new Date(ms).toISOString().replace(/\.\d+/, '') === until ? ms : null;
}

/** Evaluates every condition: some policies overflow the stack only then. */
function tryOut(parsed: readonly ParsedPolicy[], schema: string): Problem[] {
  const inventory = loadInventory(SOME_INVENTORY, 'inventory.yaml', { ownTrustDomains: new Set(['any.example']) });
  if (Array.isArray(inventory)) return inventory;
  const engine = new Engine({ throwBudget: 0 });
  try {
    const calls = probes(inventory).map((question) => authorizationCall(question, namedBy(parsed), inventory));
    return warmUp(engine, { schema, policies: parsed, calls }, WARM_ROUNDS);
  } finally {
    engine.close();
  }
}

const SOME_INVENTORY = `teams: [any]
purposes: { any: {} }
workloads: [{ id: spiffe://any.example/any, owner: any, kind: job }]
resources: [{ host: any.example }]
`;

const emergencyPolicy = (policy: ParsedPolicy): EmergencyPolicy => ({
  id: policy.id,
  file: policy.source.file,
  text: policy.text,
  untilMs: untilOf(policy) ?? 0,
  footprint: { footprint: footprintOf(policy.json), scope: scopeOf(policy.json) },
  named: namedBy([policy]),
});

/** What is wrong with the folder of emergency forbids, and what an author should look at. */
export interface CheckedEmergency {
  readonly policies: number;
  readonly problems: readonly Problem[];
  readonly notes: readonly Problem[];
}

/**
 * For an author: what a sidecar would say of `emergency/` below this folder, and beside that the names that the inventory does not
 * have, and the policies whose time is over. Their text is judged on this instance of Cedar.
 */
export async function checkEmergency(folder: string, names: Names, cedar: Cedar): Promise<CheckedEmergency> {
  const { files, problems, schema } = await readEmergency(folder);
  const now = systemClock.now();
  const judged = schema === null ? [] : judgeEmergency(files, schema, cedar, now);
  if (!('files' in judged)) return { policies: 0, problems: [...problems, ...judged], notes: [] };
  const verdicts = [...judged.files.values()];
  const found = [...problems, ...verdicts.flatMap((verdict) => ('problems' in verdict ? verdict.problems : []))];
  const policies = verdicts.flatMap((verdict) => ('problems' in verdict ? [] : verdict));
  const bytes = files.reduce((sum, { text }) => sum + Buffer.byteLength(text), 0);
  if (policies.length > MAX_EMERGENCY_POLICIES) found.push(problemAtStart(EMERGENCY_FOLDER, TOO_MANY));
  if (bytes > MAX_EMERGENCY_BYTES) found.push(problemAtStart(EMERGENCY_FOLDER, TOO_LARGE));
  const { parsed } = readSet({ guardrails: [], policies: files, settings: NO_SETTINGS }, cedar, mistakesIn);
  found.push(...repeatedIds(parsed));
  const over = parsed.filter((policy) => (untilOf(policy) ?? now) <= now);
  const ended = over.map((policy) => problemIn(policy, 0, `${policy.id} has ended and forbids nothing; remove it`));
  return {
    policies: policies.length,
    problems: found,
    notes: [...parsed.flatMap((one) => nameProblems(one, names)), ...ended],
  };
}
