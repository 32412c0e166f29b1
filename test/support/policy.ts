import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Inventory } from '../../src/inventory/inventory.ts';
import { Engine, newInstance } from '../../src/policy/decide/engine.ts';
import { bareQuestion, type Question } from '../../src/policy/decide/question.ts';
import { install, type Loaded } from '../../src/policy/load/load.ts';
import { validate } from '../../src/policy/load/validate.ts';
import type { SourceFile } from '../../src/policy/text/source-file.ts';
import type { PolicySettings, Sources } from '../../src/policy/text/sources.ts';
import { formatProblem } from '../../src/source/problem.ts';
import type { Task } from '../../src/task/model.ts';
import { estate, targetOf, workloadOf } from './inventory.ts';

export { estate, targetOf as target, workloadOf as workload };

const schema: SourceFile = {
  file: 'schema.cedarschema',
  text: readFileSync(join(import.meta.dirname, '..', '..', 'cedar', 'schema.cedarschema'), 'utf8'),
};

export const settings: PolicySettings = {
  headers: [
    { name: 'x-data-class', type: 'string' },
    { name: 'x-amount', type: 'long' },
  ],
  disabledGuardrails: [],
  requiredGuardrails: [],
  trustDomains: ['prod.example', 'partner.example'],
  ownTrustDomains: ['prod.example'],
  allowWarnings: false,
};

/** Files by their names, as a policy folder holds them. */
export type Files = Readonly<Record<string, string>>;

/** Sources as if they had been read from a folder with these files, with the estate above unless stated otherwise. */
export function sourcesOf(files: Files, parts: Partial<Sources> = {}): Sources {
  const all = Object.entries(files).map(([file, text]) => ({ file, text }));
  return {
    schema,
    guardrails: [],
    schemas: all.filter(({ file }) => file.endsWith('.cedarschema')),
    policies: all.filter(({ file }) => file.endsWith('.cedar')),
    tests: all.filter(({ file }) => file.endsWith('.yaml')),
    inventory: { file: 'inventory.yaml', text: estate },
    settings,
    ...parts,
  };
}

const cedar = newInstance();

/** A loaded snapshot, or an error that shows what was wrong with the sources. Judged in this thread, without a warm-up. */
export function loaded(files: Files, parts: Partial<Sources> = {}, engine = new Engine()): Loaded {
  const sources = sourcesOf(files, parts);
  const validated = validate(sources, cedar, 0);
  const result = Array.isArray(validated) ? { problems: validated } : install(engine, sources, validated);
  if ('problems' in result) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result;
}

/** A question about the only hop of a request without a task; `changes` are what the test is about. */
export function question(
  inventory: Inventory,
  caller: string,
  request: string,
  changes: Partial<Question> = {},
): Question {
  return {
    ...bareQuestion(workloadOf(inventory, caller), targetOf(inventory, request)),
    now: Date.UTC(2026, 10, 25, 10),
    client: '10.0.0.7',
    credentialAge: 60,
    ...changes,
  };
}

/** A task of assurance 2 for reconciling invoices, with ten minutes left at the time of `question`. */
export function task(changes: Partial<Task> = {}): Task {
  return {
    source: 'txn-token',
    id: 't-42',
    purpose: 'reconcile-invoices',
    assurance: 2,
    scopes: [],
    resources: null,
    issuer: 'https://tts.prod.example',
    subject: null,
    issuedAt: Date.UTC(2026, 10, 25, 9, 59) / 1000,
    expiresAt: Date.UTC(2026, 10, 25, 10, 10) / 1000,
    token: 'sha256:00',
    jti: null,
    ...changes,
  };
}
