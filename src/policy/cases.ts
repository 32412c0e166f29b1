import { z } from 'zod';
import { credentials } from '../identity/caller.ts';
import type { Inventory } from '../inventory/inventory.ts';
import type { Target, Workload } from '../inventory/model.ts';
import { inNetworks } from '../inventory/networks.ts';
import type { Problem } from '../inventory/problem.ts';
import { readYaml, type YamlFile } from '../inventory/yaml.ts';
import { type Reason, Refusal, reasons } from '../outcome.ts';
import { SpiffeId } from '../spiffe-id.ts';
import type { Assurance, Chain, Task } from '../task/model.ts';
import { refusalOf } from './permit.ts';
import type { SourceFile } from './place.ts';
import type { HopVerdict, Question } from './question.ts';
import type { DeclaredHeader } from './sources.ts';
import { unmapped } from './vocabulary.ts';

const text = z.string().min(1);
const ids = z.array(text);

const factsSchema = z.strictObject({
  caller: text.optional().describe('The SPIFFE ID of the workload that calls; the inventory must know it.'),
  request: text.optional().describe('`GET payments.internal/api/invoices/7?page=2`: method, host and decoded path.'),
  through: ids.optional().describe('The workloads that handed the task on to the caller, the originator first.'),
  credential: z.enum(credentials).optional().describe('How the caller proved who it is. Default: x509-svid.'),
  task: z
    .strictObject({
      purpose: text,
      assurance: z.literal([1, 2, 3]).optional().describe('Default: 2, bound to its caller.'),
      scopes: ids.optional(),
      id: text.optional(),
      issuer: text.optional(),
      subject: text.optional(),
      secondsLeft: z.int().min(1).optional().describe('Default: 300.'),
    })
    .nullable()
    .optional()
    .describe('What a verified task token says. Without it there is no task.'),
  declared: z.strictObject({ id: text, purpose: text }).nullable().optional().describe('A task that is merely said.'),
  headers: z
    .record(text, z.union([z.string(), z.int()]))
    .optional()
    .describe('Headers that the config lets through; a number where it declares a number.'),
  client: z.union([z.ipv4(), z.ipv6()]).optional().describe('The address that the caller calls from.'),
  upgrade: z.boolean().optional().describe('The request asks for a WebSocket or another tunnel.'),
  grpc: z.boolean().optional(),
  at: z.iso.datetime().optional().describe('When; default 2026-11-25T10:00:00Z.'),
  credentialAge: z.int().min(0).optional().describe('Seconds since the credential was issued; default 60.'),
  approvals: ids.optional(),
  risk: z.int().min(0).max(100).optional(),
  signals: ids.optional(),
});

const caseSchema = factsSchema.extend({
  name: text.describe('One sentence: what must hold.'),
  expect: z.enum(['allow', 'deny']),
  by: ids.optional().describe('The deciding policies, in any order: the permits of an allow, the forbids of a denial.'),
  reason: z
    .enum(Object.keys(reasons) as [Reason, ...Reason[]])
    .optional()
    .describe('The reason of a denial.'),
});

/** The file format of policy tests: `tests/*.yaml` beside the policies. `given` holds for every case that says nothing else. */
export const casesSchema = z.strictObject({
  given: factsSchema.optional(),
  cases: z.array(caseSchema).min(1, 'a file of tests holds at least one case'),
});

type Facts = z.output<typeof factsSchema>;

/** One case, ready to be judged. */
export interface PolicyCase {
  readonly name: string;
  readonly expected: {
    readonly result: 'allow' | 'deny';
    readonly by: readonly string[] | null;
    readonly reason: Reason | null;
  };
  /** One question for each hop, or why the inventory refuses the request before policy is asked. */
  readonly questions: readonly Question[] | Refusal;
  /** A problem at the case. */
  readonly problem: (message: string) => Problem;
}

/** What came of a case. */
export interface CaseResult {
  readonly result: 'allow' | 'deny';
  /** Sorted. */
  readonly by: readonly string[];
  readonly reason: Reason | null;
  readonly detail: string;
}

/** The cases of one file; whatever cannot be read, or names what the inventory or config does not know, is a problem. */
export function readCases(
  source: SourceFile,
  inventory: Inventory,
  headers: readonly DeclaredHeader[],
): PolicyCase[] | Problem[] {
  const yaml = readYaml(source.text, source.file);
  if (Array.isArray(yaml)) return yaml;
  const parsed = casesSchema.safeParse(yaml.value);
  if (!parsed.success) return parsed.error.issues.flatMap((issue) => shapeProblems(issue, yaml));
  const { given = {}, cases } = parsed.data;
  const problems: Problem[] = [];
  const found = cases.flatMap((stated, index): PolicyCase[] => {
    const facts = { ...given, ...stated };
    const questions = questionsOf(facts, inventory, headers);
    if (typeof questions === 'string') {
      problems.push(yaml.problem(['cases', index], `${stated.name}: ${questions}`));
      return [];
    }
    return [
      {
        name: stated.name,
        expected: { result: stated.expect, by: stated.by?.toSorted() ?? null, reason: stated.reason ?? null },
        questions,
        problem: (message) => yaml.problem(['cases', index], message),
      },
    ];
  });
  return problems.length > 0 ? problems : found;
}

/** Judges a case as a check would: every hop by itself, and all must be permitted. */
export function runCase({ questions }: PolicyCase, decide: (question: Question) => HopVerdict): CaseResult {
  if (questions instanceof Refusal) {
    return { result: 'deny', by: [], reason: questions.reason, detail: questions.detail };
  }
  const verdicts = questions.map(decide);
  const refusal = refusalOf(verdicts);
  const by = verdicts.flatMap((verdict) => (refusal === null ? verdict.permits : verdict.forbids));
  return {
    result: refusal === null ? 'allow' : 'deny',
    by: [...new Set(by)].toSorted(),
    reason: refusal?.reason ?? null,
    detail: refusal?.detail ?? '',
  };
}

/** How the result differs from what the case expects, in one line; null when it does not. */
export function difference({ name, expected }: PolicyCase, result: CaseResult): string | null {
  const same =
    expected.result === result.result &&
    (expected.by === null || expected.by.join() === result.by.join()) &&
    (expected.reason === null || expected.reason === result.reason);
  if (same) return null;
  const say = (what: string, by: readonly string[] | null, reason: string | null): string =>
    [what, reason === null ? '' : `(${reason})`, by === null || by.length === 0 ? '' : `by ${by.join(', ')}`]
      .filter((part) => part !== '')
      .join(' ');
  const detail = result.detail === '' ? '' : `: ${result.detail}`;
  return `${name}: expected ${say(expected.result, expected.by, expected.reason)}, got ${say(result.result, result.by, result.reason)}${detail}; correct the policies, or the case`;
}

const NOON = '2026-11-25T10:00:00Z';

/** The questions of a case, a refusal of the inventory, or what the case says wrongly. */
function questionsOf(
  facts: Facts,
  inventory: Inventory,
  declared: readonly DeclaredHeader[],
): Question[] | Refusal | string {
  if (facts.caller === undefined) return 'no caller; state the SPIFFE ID of the workload that calls';
  if (facts.request === undefined) return 'no request; write it like GET host/path';
  const chain: Workload[] = [];
  for (const id of [...(facts.through ?? []), facts.caller]) {
    const workload = knownWorkload(id, inventory);
    if (typeof workload === 'string') return workload;
    chain.push(workload);
  }
  const request = /^([A-Z]+) ([^/?]+)(\/[^?]*)(?:\?(.*))?$/.exec(facts.request);
  if (request === null) return `'${facts.request}' is no request; write it like GET host/path`;
  const [, method = '', host = '', path = '', query = null] = request;
  const target = inventory.target({ host, path, method, upgrade: facts.upgrade ?? false, grpc: facts.grpc ?? false });
  const now = Date.parse(facts.at ?? NOON);
  const task = taskOf(facts, inventory, now);
  if (typeof task === 'string') return task;
  const headers = headersOf(facts.headers ?? {}, declared);
  if (typeof headers === 'string') return headers;
  if (target instanceof Refusal) return target;
  return chain.map((hop, index) => questionOf(facts, { hop, index, chain, target, task, headers, query, now }));
}

interface Parts {
  readonly hop: Workload;
  readonly index: number;
  readonly chain: readonly Workload[];
  readonly target: Target;
  readonly task: Task | null;
  readonly headers: Pick<Question, 'headers' | 'numbers'>;
  readonly query: string | null;
  readonly now: number;
}

/** What is known of the caller's own connection is known of the caller alone. */
function questionOf(facts: Facts, { hop, index, chain, target, task, headers, query, now }: Parts): Question {
  const isCaller = index === chain.length - 1;
  const client = facts.client === undefined ? null : unmapped(facts.client);
  return {
    now,
    hop,
    role: isCaller ? 'caller' : index === 0 ? 'originator' : 'intermediary',
    credential: isCaller ? (facts.credential ?? 'x509-svid') : 'delegated',
    target,
    chain: chain as unknown as Chain,
    task,
    declared: facts.declared ?? null,
    client,
    query,
    ...headers,
    inNetworks: isCaller ? inNetworks(hop, client) : null,
    credentialAge: isCaller ? (facts.credentialAge ?? 60) : null,
    approvals: new Set(facts.approvals),
    risk: isCaller ? (facts.risk ?? null) : null,
    signals: new Set(isCaller ? facts.signals : []),
  };
}

function knownWorkload(text: string, inventory: Inventory): Workload | string {
  const id = SpiffeId.parse(text);
  if (id instanceof Refusal) return `'${text}' is no SPIFFE ID: ${id.detail}; write spiffe://trust-domain/path`;
  const workload = inventory.workload(id);
  return workload instanceof Refusal ? `the inventory knows no '${text}'; list it, or correct it` : workload;
}

function taskOf({ task: stated }: Facts, inventory: Inventory, now: number): Task | null | string {
  if (stated === undefined || stated === null) return null;
  if (!inventory.known.purposes.has(stated.purpose)) {
    return `no purpose is called '${stated.purpose}'; list it in the inventory, or correct it`;
  }
  return {
    source: 'txn-token',
    id: stated.id ?? 'task',
    purpose: stated.purpose,
    assurance: (stated.assurance ?? 2) as Assurance,
    scopes: stated.scopes ?? [],
    issuer: stated.issuer ?? 'https://issuer.example',
    subject: stated.subject ?? null,
    issuedAt: Math.floor(now / 1000),
    expiresAt: Math.floor(now / 1000) + (stated.secondsLeft ?? 300),
    token: 'sha256:',
  };
}

function headersOf(
  stated: Readonly<Record<string, string | number>>,
  declared: readonly DeclaredHeader[],
): Pick<Question, 'headers' | 'numbers'> | string {
  const headers = new Map<string, string>();
  const numbers = new Map<string, number>();
  for (const [name, value] of Object.entries(stated)) {
    const header = declared.find((candidate) => candidate.name === name);
    if (header === undefined) return `the config lets no header '${name}' through; add it to policy.headers`;
    if (header.type === 'string' && typeof value === 'string') headers.set(name, value);
    else if (header.type === 'long' && typeof value === 'number' && value >= 0) numbers.set(name, value);
    else
      return `the header '${name}' is declared as ${header.type}; write ${header.type === 'long' ? '100' : '"text"'}`;
  }
  return { headers, numbers };
}

function shapeProblems(issue: z.core.$ZodIssue, yaml: YamlFile): Problem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) =>
      yaml.problem([...issue.path, key], `no such key '${key}'; remove it, or correct its spelling`, true),
    );
  }
  return [yaml.problem(issue.path, `${issue.path.join('.')}: ${issue.message}`)];
}
