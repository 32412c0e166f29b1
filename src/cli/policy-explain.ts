import { systemClock } from '../base/clock.ts';
import { Refusal } from '../base/outcome.ts';
import { personText } from '../identity/person.ts';
import { sensitivities } from '../inventory/schema.ts';
import { controlCall } from '../policy/control/call.ts';
import { controlPolicies, whyDenied } from '../policy/control/decide.ts';
import type { ControlQuestion } from '../policy/control/question.ts';
import { newInstance } from '../policy/decide/engine.ts';
import type { Question } from '../policy/decide/question.ts';
import { controlQuestionFor } from '../policy/load/control-scenario.ts';
import { questionsFor, type Scenario } from '../policy/load/scenario.ts';
import { type Audited, readAudited, type Unjudged } from '../tools/audited.ts';
import {
  type Account,
  accountJson,
  type ExplainedHop,
  explainCalls,
  explainRequest,
  explanationJson,
  isTelling,
} from '../tools/explain.ts';
import { readControlPolicies, readPolicies } from '../tools/read-policies.ts';
import { command } from './commands.ts';
import { policyLines } from './explained.ts';
import { DONE, failWith, type Io, linesOf, unread } from './io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, type Opened, openFolder } from './policy-open.ts';
import { indentedJson } from './printable.ts';
import { reasonRow } from './reason-row.ts';
import { CONTROL_OPTIONS, controlStatedBy, STATED_OPTIONS, STATED_USAGE, statedBy } from './scenario-options.ts';

const USAGE = `policy explain FOLDER --caller ID --request 'GET host/path' [facts]
policy explain FOLDER --audit FILE --decision ID
policy explain FOLDER --caller ID --control 'revoke team NAME' [--proof svid|bearer] [--seconds N] [--dry-run] [--at TIME]
policy explain FOLDER --caller ID --control 'start workload ID' --purpose NAME [--scope NAME …] [--issuer ISSUER] [--parent JSON]
policy explain FOLDER --person JSON --control 'grant approval NAME' [--asking JSON] [--uses N] [--seconds N]
  explains the effect of each policy on one request, or on one call of the control API, and which part of which condition
  decided
  --all              also forbids whose conditions fail, and policies about other requests
  --json             as JSON
  --upgrade          the request asks for a WebSocket or another tunnel
  --control CALL     view, explain, revoke or lift; then everything, trust-domain NAME, team NAME, path ID, workload ID,
                     task ISSUER ID, token ISSUER JTI, subject ISSUER NAME, key THUMBPRINT or certificate FINGERPRINT;
                     or start workload ID, handOn workload ID (with --depth N), extend task ISSUER ID, end task ISSUER ID
  --registered JSON  what is registered of that task, as {"owner": …, "purpose": …, "workloads": […], "startedBy": …};
                     --parent JSON: the same of the task that another is started within
  --person JSON      who signed in, in place of a caller, as {"groups": […], "acr": …, "amr": […], "subject": …}; asks for
                     any of these, and for grant, refuse or withdraw of approval NAME
  --asking JSON      whose call was denied, as {"caller": …, "host": …, "method": …, "path": …, "action": …}
${STATED_USAGE}${FOLDER_USAGE}`;

const OPTIONS = {
  ...FOLDER_OPTIONS,
  ...STATED_OPTIONS,
  ...CONTROL_OPTIONS,
  request: { type: 'string' },
  upgrade: { type: 'boolean' },
  audit: { type: 'string' },
  decision: { type: 'string' },
  all: { type: 'boolean' },
  json: { type: 'boolean' },
} as const;

/** Of either kind. */
const OF_BOTH: ReadonlySet<string> = new Set(['caller', 'control', 'at', 'scope']);
const OF_CONTROL: ReadonlySet<string> = new Set(Object.keys(CONTROL_OPTIONS).filter((name) => !OF_BOTH.has(name)));
const OF_REQUESTS: ReadonlySet<string> = new Set(
  ['upgrade', ...Object.keys(STATED_OPTIONS)].filter((name) => !OF_BOTH.has(name)),
);

/** `policy explain`: 0 when the request could be explained, whatever is decided. */
export const policyExplain = command(USAGE, OPTIONS, async (line, io) => {
  const { values, misuse } = line;
  const { audit, decision, request, control } = values;
  const caller = control === undefined ? values.caller : (values.caller ?? values.person);
  const fromAudit = audit !== undefined && decision !== undefined;
  const asked = [request, control, audit ?? decision].filter((way) => way !== undefined);
  if (
    asked.length !== 1 ||
    (caller === undefined) !== fromAudit ||
    (audit === undefined) !== (decision === undefined)
  ) {
    return misuse('state --caller and --request, --caller or --person and --control, or --audit and --decision');
  }
  const vain = Object.keys(values).find((name) => (control === undefined ? OF_CONTROL : OF_REQUESTS).has(name));
  if (vain !== undefined) {
    return misuse(`--${vain} says nothing of a ${control === undefined ? 'request' : 'call of the control API'}`);
  }
  const opened = await openFolder(line, io);
  if (typeof opened === 'number') return opened;
  const { snapshot } = opened.loaded;
  if (control !== undefined) {
    const call = controlStatedBy(values, systemClock.now());
    if (typeof call === 'string') return misuse(call);
    const question = controlQuestionFor(call, snapshot.inventory);
    return typeof question === 'string' ? failWith(question, io) : showControl(control, question, opened, values, io);
  }
  let stated: Scenario | string;
  let past: Audited | null = null;
  if (fromAudit) {
    const found = await findDecision(audit, decision, opened, io);
    if (typeof found === 'number') return found;
    if ('why' in found) return unjudged(decision, found, values.json === true, io);
    past = found;
    stated = found.stated;
  } else {
    stated = statedBy(values, { caller, request, upgrade: values.upgrade ?? false }, snapshot, systemClock.now());
    if (typeof stated === 'string') return misuse(stated);
  }
  const questions = questionsFor(stated, snapshot.inventory, snapshot.headers);
  if (typeof questions === 'string') return failWith(questions, io);
  if (questions instanceof Refusal)
    return failWith(`refused before policies are asked: ${questions.reason}, ${questions.detail}`, io);
  return show(questions, past, opened, values, io);
});

/** A decision in which policies had no part: the detail of its line, and what the reason means and asks for. */
async function unjudged(decision: string, { why, reason, detail }: Unjudged, json: boolean, io: Io): Promise<number> {
  if (why !== 'before policy') return failWith(`decision ${decision} cannot be replayed: ${why} (${reason})`, io);
  const row = await reasonRow(reason);
  if (json) {
    io.out(`${indentedJson({ decision, reason, detail, meaning: row?.meaning ?? null, use: row?.use ?? null })}\n`);
    return DONE;
  }
  const lines = [`decision ${decision}: ${reason}, before policies were evaluated`];
  if (detail !== null) lines.push(`  detail: ${detail}`);
  if (row !== null) lines.push(`  meaning: ${row.meaning}`, `  what to do: ${row.use}`);
  io.out(`${lines.join('\n')}\n`);
  return DONE;
}

/** What the audit tells of a decision, or the exit code. */
async function findDecision(file: string, decision: string, { loaded }: Opened, io: Io) {
  try {
    let number = 0;
    for await (const line of linesOf(file)) {
      number++;
      if (!line.includes(decision)) continue;
      const found = readAudited(line, loaded.snapshot);
      if (found.decision === decision) return found;
      if (found.decision === null && line.includes(`"decision":${JSON.stringify(decision)}`)) {
        return failWith(`${file}:${number}: cannot be read: ${'why' in found ? found.reason : ''}`, io);
      }
    }
  } catch (error) {
    return unread(file, error, io);
  }
  return failWith(`${file}: no line tells of the decision ${decision}`, io);
}

interface Shown {
  readonly all?: boolean | undefined;
  readonly json?: boolean | undefined;
}

function show(
  questions: readonly Question[],
  past: Audited | null,
  opened: Opened,
  { all, json }: Shown,
  io: Io,
): number {
  const { sources, validated, engine, loaded } = opened;
  const cedar = newInstance();
  const policies = readPolicies(sources, cedar);
  const explained = explainRequest(policies, questions, loaded.snapshot, { validated, engine, cedar }, all === true);
  if (typeof explained === 'string') return failWith(`Cedar could not be asked: ${explained}`, io);
  const { refusal, hops } = explained;
  const result = refusal === null ? 'allow' : 'deny';
  const sameRevision = past?.revision === loaded.snapshot.revision;
  if (json === true) {
    const audit = past === null ? {} : { audit: { ...past.answer, policies: past.verdict, sameRevision } };
    io.out(`${indentedJson({ ...audit, ...explanationJson(explained, opened.path) })}\n`);
    return DONE;
  }
  if (past !== null) io.out(`${pastText(past, sameRevision)}\n`);
  io.out(`${requestText(questions)}\n`);
  for (const hop of hops) io.out(`\n${hopText(hop, opened)}\n`);
  io.out(`\n${refusal === null ? result : `deny (${refusal.reason}): ${refusal.detail}`}\n`);
  if (past !== null && sameRevision && past.verdict.result !== result) {
    io.out('These policies decided otherwise then: the line does not hold all that decided.\n');
  }
  return DONE;
}

/** The policies' part in one call of the control API. */
function showControl(control: string, question: ControlQuestion, opened: Opened, { all, json }: Shown, io: Io): number {
  const { sources, engine, loaded } = opened;
  const { inventory, control: program } = loaded.snapshot;
  const cedar = newInstance();
  const policies = readControlPolicies(sources, cedar);
  const calls = program === null ? [] : [controlCall(question, program.named, inventory)];
  const accounts = explainCalls(policies, calls, { schema: program?.schema ?? '', engine, cedar });
  if (typeof accounts === 'string') return failWith(`Cedar could not be asked: ${accounts}`, io);
  const { principal, action, resource, ...context } = question;
  const decision = controlPolicies(loaded.snapshot).decide(principal, action, resource, context);
  const accountsOf = accounts[0] ?? [];
  const said = accountsOf.filter((account) => all === true || isTelling(account));
  const result = decision.allowed ? 'allow' : 'deny';
  const detail = decision.allowed ? null : whyDenied(decision);
  const caller = principal.kind === 'person' ? personText(principal.person) : principal.id.text;
  const { proof } = principal;
  if (json === true) {
    const told = said.map((account) => accountJson(account, opened.path));
    io.out(`${indentedJson({ result, detail, control, caller, proof, policies: told })}\n`);
    return DONE;
  }
  const lines = accountLines(said, accountsOf.length - said.length, opened);
  io.out(`${control}\n\ncaller ${caller} (${proof}): ${result}\n${lines.map((line) => `${line}\n`).join('')}`);
  io.out(`\n${detail === null ? result : `deny: ${detail}`}\n`);
  return DONE;
}

/** What was answered, and what policies said where that is not the same: a replay or an outage refuses what they permit. */
function pastText({ answer, verdict }: Audited, sameRevision: boolean): string {
  const by = sameRevision ? 'by these policies' : 'by other policies, inventory or settings';
  const said = ({ result, reason }: Audited['verdict']): string => (reason === null ? result : `${result} (${reason})`);
  if (answer.result === verdict.result && answer.reason === verdict.reason) return `audit: ${said(answer)}, ${by}`;
  return `audit: ${said(answer)}; policies decided ${said(verdict)}, ${by}`;
}

function requestText([question]: readonly Question[]): string {
  if (question === undefined) return '';
  const { target, task } = question;
  const { resource } = target;
  const api = resource.apis.at(-1) ?? 'no api names it';
  const why = task === null ? 'no task' : `task for ${task.purpose}, assurance ${task.assurance}`;
  return `${target.action} ${resource.id} (${api}, ${sensitivities[resource.sensitivity]}); ${why}`;
}

function hopText({ question, result, said, aside }: ExplainedHop, opened: Opened): string {
  const { role, hop, credential } = question;
  const head = `${role} ${hop.id.text} (${hop.kind}, ${credential}): ${result}`;
  return [head, ...accountLines(said, aside, opened)].join('\n');
}

function accountLines(said: readonly Account[], aside: number, opened: Opened): string[] {
  const lines = policyLines(said.map((account) => accountJson(account, opened.path)));
  if (aside > 0) lines.push(`  ${aside} other policies do not apply (--all shows why)`);
  return lines;
}
