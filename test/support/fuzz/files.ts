import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { parse } from 'yaml';
import { Fault } from '../../../src/base/fault.ts';
import { type ExactNumber, type JsonValue, parseExactJson, parseStrictJson } from '../../../src/base/strict-json.ts';
import { isConfig, loadConfig } from '../../../src/config/load.ts';
import { Inventory } from '../../../src/inventory/inventory.ts';
import { loadInventory, restoreInventory } from '../../../src/inventory/load.ts';
import { digest, placed } from '../../../src/observe/line.ts';
import { auditBody } from '../../../src/observe/record.ts';
import { verifyAudit } from '../../../src/observe/verify.ts';
import { type Cedar, newInstance } from '../../../src/policy/decide/engine.ts';
import { annotationProblems } from '../../../src/policy/lint/annotations.ts';
import { limitProblems } from '../../../src/policy/lint/limits.ts';
import { nameProblems } from '../../../src/policy/lint/names.ts';
import type { ParsedPolicy } from '../../../src/policy/lint/parsed.ts';
import { teamProblems } from '../../../src/policy/lint/teams.ts';
import { readCases } from '../../../src/policy/load/cases.ts';
import { type PolicyText, splitPolicies } from '../../../src/policy/text/split-policies.ts';
import { tokenize } from '../../../src/policy/text/tokens.ts';
import type { Problem } from '../../../src/source/problem.ts';
import { auditRecord } from '../audit-observe.ts';
import { settings } from '../policy.ts';
import { words } from '../words.ts';
import { jsonPieces, mutatedText, yamlPieces } from './mutations.ts';
import { type Parser, parser } from './parser.ts';
import { mutatedTree } from './tree.ts';

const repository = join(import.meta.dirname, '..', '..', '..');
const file = (...path: string[]): string => readFileSync(join(repository, ...path), 'utf8');

const jsonText = '{"a":[1,2.5,-0,"x\\u00e9\\n",null,true,{"b":{}}],"c":9007199254740993}';
const inventoryText = file('cedar', 'example', 'inventory.yaml');
const ownTrustDomains = new Set(['prod.example']);
const inventory = loadInventory(inventoryText, 'inventory.yaml', { ownTrustDomains });
if (!(inventory instanceof Inventory)) throw new Error('the example inventory does not load');
const configText = file('test', 'cases', 'mesh', 'config.yaml');
const casesText = file('cedar', 'example', 'policies', 'tests', 'payments.yaml');
const policyTexts = [
  file('cedar', 'example', 'policies', 'payments.cedar'),
  file('cedar', 'guardrails', 'proof.cedar'),
  file('cedar', 'guardrails', 'legacy.cedar'),
];
const policyPieces = [...words('@id(" @mode("shadow") " // ; :: ( ) [ ! . \\ é'), '\n', ' && ', '😀'];
const yamlOf = (tree: unknown): string => JSON.stringify(tree) ?? '';
const audit = auditFile();

/** What reads files: configuration, inventory, policies and their tests, the audit. */
export const fileParsers: readonly Parser[] = [
  parser(
    'JSON',
    fc.oneof(
      mutatedText([jsonText], [...jsonPieces, '"a":1,', ',"c":null']),
      mutatedTree([{ a: [1, 2.5, 'x', null, true, { b: {} }] }]).map(yamlOf),
    ),
    (text) => ({ strict: parseStrictJson(text), exact: parseExactJson(text) }),
    ({ strict, exact }, text) => {
      if (exact instanceof Fault) {
        assert.ok(strict instanceof Fault);
        return false;
      }
      assert.deepEqual(plain(exact), plain(JSON.parse(text)));
      const colons = text.replace(/"(?:[^"\\]|\\.)*"/g, '').split(':').length - 1;
      assert.equal(membersOf(exact), colons, 'no member is lost');
      if (!(strict instanceof Fault)) assert.deepEqual(strict, exact);
      return true;
    },
  ),
  parser(
    'configuration',
    fc.oneof(mutatedText([configText], yamlPieces), mutatedTree([parse(configText)]).map(yamlOf)),
    (text) => loadConfig(text, 'config.yaml', { HOME: '/nowhere' }),
    (config, text) => {
      if (isConfig(config)) return true;
      assert.ok(config.length > 0);
      // Line 0: the file as a whole.
      for (const { line } of config) assert.ok(line >= 0 && line <= text.split('\n').length);
      return false;
    },
  ),
  parser(
    'inventory',
    fc.oneof(mutatedText([inventoryText], yamlPieces), mutatedTree([parse(inventoryText)]).map(yamlOf)),
    (text) => loadInventory(text, 'inventory.yaml', { ownTrustDomains }),
    (loaded, text) => {
      if (Array.isArray(loaded)) return areProblems(loaded, text);
      assert.deepEqual(restoreInventory(loaded.content)?.content, loaded.content, 'its content is its own');
      return true;
    },
  ),
  parser(
    'tests of policies',
    fc.oneof(mutatedText([casesText], yamlPieces), mutatedTree([parse(casesText)]).map(yamlOf)),
    (text) => readCases({ file: 'cases.yaml', text }, inventory, []),
    (cases, text) => {
      const problems = cases.filter((one): one is Problem => 'line' in one);
      return problems.length === 0 ? cases.length > 0 : areProblems(problems, text);
    },
  ),
  parser('tokens of policies', mutatedText(policyTexts, policyPieces), tokenize, (tokens, text) => {
    if ('message' in tokens) return false;
    for (const token of tokens) assert.equal(token.text, text.slice(token.start, token.end));
    return true;
  }),
  parser(
    'policies',
    mutatedText(policyTexts, policyPieces),
    (text) => splitPolicies({ file: 'payments.cedar', text }),
    ({ policies, problems }, text) => {
      for (const policy of policies) assert.ok(text.startsWith(policy.text, policy.start));
      areProblems(problems, text);
      return problems.length === 0;
    },
  ),
  parser('lint of policies', mutatedText(policyTexts, policyPieces).map(parsedPolicies), lint, (problems, { text }) => {
    areProblems(problems, text);
    return problems.length === 0;
  }),
  parser(
    'audit',
    mutatedText([audit.text], [...jsonPieces, '\n', '\r', '"boot":', '"event":"boot"', '"seq":1', '\u0000']),
    (text) => verifyAudit([Buffer.from(text)], [audit.last]),
    ({ faults, missing, continues }, text) => {
      // What begins in the middle may be the rest of an earlier file, and says so.
      const unbroken = faults.length === 0 && missing.length === 0 && !continues;
      if (unbroken) assert.equal(linesOf(text), linesOf(audit.text), 'only what was written is called unbroken');
      return unbroken;
    },
  ),
];

const linesOf = (text: string): string =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .join('\n');

function areProblems(problems: readonly Problem[], text: string): false {
  const lines = text.split('\n').length;
  for (const { line, column } of problems) assert.ok(line >= 1 && line <= lines && column >= 1, `${line}:${column}`);
  return false;
}

function membersOf(value: JsonValue<ExactNumber>): number {
  if (typeof value !== 'object' || value === null) return 0;
  const parts = Object.values(value) as JsonValue<ExactNumber>[];
  return parts.reduce((sum: number, part) => sum + membersOf(part), Array.isArray(value) ? 0 : parts.length);
}

/** With numbers as doubles hold them, since JSON.parse knows no other. */
function plain(value: JsonValue<ExactNumber>): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  const object: Record<string, unknown> = Object.create(null);
  for (const [name, part] of Object.entries(value)) object[name] = plain(part as JsonValue<ExactNumber>);
  return object;
}

interface Parsed {
  readonly text: string;
  readonly policies: readonly ParsedPolicy[];
}

let cedar: Cedar = newInstance();
/** Each throw costs the instance a part of its stack. */
let throws = 0;

/** The policies of a text that Cedar parses too, as it is asked: only what keeps the limits. */
function parsedPolicies(text: string): Parsed {
  const source = { file: 'payments.cedar', text };
  const policies = splitPolicies(source).policies.flatMap((policy): ParsedPolicy[] => {
    const json = jsonOf(policy);
    return json === null ? [] : [{ ...policy, json, guardrail: false }];
  });
  return { text, policies };
}

function jsonOf(policy: PolicyText): ParsedPolicy['json'] | null {
  if (limitProblems(policy).length > 0) return null;
  try {
    const answer = cedar.policyToJson(policy.text);
    return answer.type === 'success' ? answer.json : null;
  } catch {
    if (++throws % 20 === 0) cedar = newInstance();
    return null;
  }
}

function lint({ policies }: Parsed): readonly Problem[] {
  const { teams } = (inventory as Inventory).known;
  return policies.flatMap((policy) => [
    ...annotationProblems(policy),
    ...teamProblems(policy, teams),
    ...nameProblems(policy, { inventory: inventory as Inventory, settings }),
  ]);
}

/** Two starts with three records each, and the hash of the last line. */
function auditFile(): { readonly text: string; readonly last: string } {
  const lines: string[] = [];
  let head: string | null = null;
  const write = (boot: string, seq: number, json: string): void => {
    const line = placed(Date.UTC(2026, 10, 25), { boot, seq, prev: head }, json);
    head = digest(line);
    lines.push(line);
  };
  const { json } = auditBody(auditRecord());
  for (const boot of ['b1', 'b2']) {
    write(boot, 1, '{"event":"boot","last":null,"torn":null}');
    for (let seq = 2; seq <= 4; seq++) write(boot, seq, json);
  }
  return { text: `${lines.join('\n')}\n`, last: head ?? '' };
}
