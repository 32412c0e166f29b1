import { createHash } from 'node:crypto';
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Engine, newInstance } from '../../src/policy/decide/engine.ts';
import type { SourceFile } from '../../src/policy/text/source-file.ts';
import { formatProblem } from '../../src/source/problem.ts';
import { readClaimFolder, SHIPPED_CLAIMS } from '../../src/tools/prove/claim-files.ts';
import { type Proof, proveAll, type ReadClaims, readClaims, summary } from '../../src/tools/prove/claims.ts';
import { areProblems, PERMIT_ALL, type Rule, readSentences, type Sentence } from '../../src/tools/prove/rules.ts';
import { Solver, type SolverPaths } from '../../src/tools/prove/solver.ts';
import { readPolicies } from '../../src/tools/read-policies.ts';
import { settings } from './policy.ts';

const cedarFolder = join(import.meta.dirname, '..', '..', 'cedar');
const provedFile = join(SHIPPED_CLAIMS, 'proved.json');

/** What cedar/claims/proved.json holds: what was proved of which texts, with which tools. */
export interface Proved {
  readonly tools: Readonly<Record<string, string>>;
  /** Of schemas, guardrails, claims and facts, by their paths below cedar/. */
  readonly digests: Readonly<Record<string, string>>;
  readonly claims: Readonly<Record<string, string>>;
  readonly summary: string;
}

/** The digests of all texts that a proof rests on, as they are now. */
export function digestsNow(): Proved['digests'] {
  const names = globSync(['*.cedarschema', 'guardrails/**/*.cedar', 'claims/**/*.cedar'], { cwd: cedarFolder });
  const digest = (name: string) =>
    `sha256:${createHash('sha256')
      .update(readFileSync(join(cedarFolder, name)))
      .digest('hex')}`;
  return Object.fromEntries(names.toSorted().map((name) => [name.replaceAll('\\', '/'), digest(name)]));
}

/** What was proved, as it is written down. */
export const readProved = (): Proved => JSON.parse(readFileSync(provedFile, 'utf8')) as Proved;

/** Writes it down. */
export const writeProved = (proved: Proved): void => writeFileSync(provedFile, `${JSON.stringify(proved, null, 2)}\n`);

function guardrails(below: string): readonly SourceFile[] {
  return globSync('*.cedar', { cwd: join(cedarFolder, below) })
    .toSorted()
    .map((file) => ({ file, text: readFileSync(join(cedarFolder, below, file), 'utf8') }));
}

/** The evaluator that reads policies of proofs. */
export const cedar = newInstance();

/** The shipped guardrails of requests (`''`) or of the control API, and what permits everything. */
export function shippedRules(within: '' | 'control'): readonly Rule[] {
  const all = { file: 'any.cedar', text: PERMIT_ALL };
  return readPolicies({ guardrails: guardrails(join('guardrails', within)), policies: [all], settings }, cedar);
}

/** The schema of requests (`''`), or of calls of the control API. */
export const shippedSchema = (within: '' | 'control'): string =>
  readFileSync(join(cedarFolder, `${within === '' ? 'schema' : 'control'}.cedarschema`), 'utf8');

/** The shipped facts about requests. */
export async function shippedFacts(): Promise<readonly Sentence[]> {
  const { facts } = await readClaimFolder(SHIPPED_CLAIMS);
  const read = readSentences(facts, shippedSchema(''), cedar);
  if (areProblems(read)) throw new Error(read.map(formatProblem).join('\n'));
  return read;
}

/** All shipped claims, as they stand in their files. */
export async function provedClaims(): Promise<readonly Sentence[]> {
  const folder = await readClaimFolder(SHIPPED_CLAIMS);
  return [folder, folder.control].flatMap(({ claims }, index) => {
    const read = readSentences(claims, shippedSchema(index === 0 ? '' : 'control'), cedar);
    if (areProblems(read)) throw new Error(read.map(formatProblem).join('\n'));
    return read;
  });
}

/** The shipped claims about these policies. */
export async function shippedClaims(
  within: '' | 'control',
  policies: readonly Rule[],
  parts: { readonly solver: Solver; readonly engine: Engine },
): Promise<ReadClaims> {
  const folder = await readClaimFolder(SHIPPED_CLAIMS);
  const read = readClaims(
    {
      files: [within === '' ? folder : folder.control],
      schema: shippedSchema(within),
      namespace: within === '' ? 'Mesh' : 'Control',
      policies,
      alone: true,
      more: () => [],
    },
    { ...parts, cedar },
  );
  if (!('claims' in read)) throw new Error(read.map(formatProblem).join('\n'));
  return read;
}

/** Proves every shipped claim of the shipped guardrails. */
export async function proveShipped(paths: SolverPaths, say: (line: string) => void) {
  const solver = await Solver.open(paths);
  if (typeof solver === 'string') throw new Error(solver);
  try {
    const parts = { solver, engine: new Engine() };
    const proofs: Proof[] = [];
    for (const within of ['', 'control'] as const) {
      const read = await shippedClaims(within, shippedRules(within), parts);
      const proof = await proveAll(read, ({ id, sentence }, verdict) => {
        const why = verdict.kind === 'unknown' ? `${verdict.environment?.name ?? ''} ${verdict.why}` : sentence;
        say(`${verdict.kind.padEnd(8)} ${id}: ${why}`);
      });
      if (typeof proof === 'string') throw new Error(proof);
      proofs.push(proof);
    }
    const line = summary(proofs);
    say(line);
    const claims = proofs.flatMap((proof) =>
      proof.claims.map(({ claim, verdict }) => [claim.id, verdict.kind] as const),
    );
    const document: Proved = {
      tools: solver.versions,
      digests: digestsNow(),
      claims: Object.fromEntries(claims),
      summary: line,
    };
    return { document, wrong: claims.some(([, kind]) => kind !== 'proved') };
  } finally {
    solver.close();
  }
}
