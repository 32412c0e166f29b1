import { writeFile } from 'node:fs/promises';
import { Engine, newInstance } from '../../policy/decide/engine.ts';
import { namedBy } from '../../policy/load/parsed-set.ts';
import { formatProblem, type Problem } from '../../source/problem.ts';
import { caseFor, casesFile } from '../../tools/prove/as-case.ts';
import { type ClaimFolder, readClaimFolder, SHIPPED_CLAIMS } from '../../tools/prove/claim-files.ts';
import { type Proof, proveAll, type ReadClaims, readClaims, summary, totals } from '../../tools/prove/claims.ts';
import { estateFacts } from '../../tools/prove/estate.ts';
import type { ClaimVerdict } from '../../tools/prove/prove.ts';
import type { Rule, Sentence } from '../../tools/prove/rules.ts';
import type { Solver } from '../../tools/prove/solver.ts';
import { valuesFor } from '../../tools/prove/written.ts';
import { readControlPolicies, readPolicies } from '../../tools/read-policies.ts';
import { command } from '../commands.ts';
import { DONE, FAILED, type Io, UNREAD, unread } from '../io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, type Opened, openFolder, report } from '../policy-open.ts';
import { indentedJson } from '../printable.ts';
import { openSolver, SOLVER_USAGE } from './solver.ts';

const USAGE = `policy prove FOLDER [--claims FOLDER] [--write FILE] [--json]
  whether the policies in force refuse all that each claim forbids, for every request: proved, refuted with a request, or
  unknown; 0 if all are proved, 2 if nothing could be asked
  --claims FOLDER    claims of your own, and in facts/ what no request is; default: those that come with this release
  --write FILE       write the requests that refute claims as policy tests, which fail until they are denied
  --json             as JSON
${SOLVER_USAGE}${FOLDER_USAGE}`;

const OPTIONS = {
  ...FOLDER_OPTIONS,
  claims: { type: 'string' },
  write: { type: 'string' },
  json: { type: 'boolean' },
} as const;

/** `policy prove`: 0 when every claim is proved, 1 when one is refuted or unknown, 2 when nothing could be asked. */
export const policyProve = command(USAGE, OPTIONS, async (line, io) => {
  const { values, positionals } = line;
  const opened = await openFolder(line, io, positionals);
  if (typeof opened === 'number') return opened;
  const solver = await openSolver(io);
  if (typeof solver === 'number') return solver;
  try {
    const read = await claimsAbout(opened, solver, values.claims, io);
    if (typeof read === 'number') return read;
    const proofs: Proof[] = [];
    for (const part of read) {
      const tell = values.json === true ? () => {} : tellOf(part, io);
      const proof = await proveAll(part, tell);
      if (typeof proof === 'string') {
        io.err(`${proof}\n`);
        return FAILED;
      }
      proofs.push(proof);
    }
    io.out(`${values.json === true ? indentedJson(asJson(proofs)) : summary(proofs)}\n`);
    if (values.write !== undefined) {
      const code = await writeCases(values.write, proofs, opened, io);
      if (code !== DONE) return code;
    }
    const all = proofs.flatMap(({ claims }) => claims);
    return all.every(({ verdict }) => verdict.kind === 'proved') ? DONE : FAILED;
  } finally {
    solver.close();
  }
});

/** Writes what refutes claims about requests as tests, into a file that is not there yet. */
async function writeCases(file: string, proofs: readonly Proof[], opened: Opened, io: Io): Promise<number> {
  const { validated, loaded, sources } = opened;
  const cases: object[] = [];
  for (const { claim, verdict } of proofs.flatMap(({ claims }) => claims)) {
    if (verdict.kind !== 'refuted' || !verdict.environment.principal.startsWith('Mesh::')) continue;
    const named = namedBy([...readPolicies(sources, newInstance()), claim]);
    const { schema } = validated;
    const found = caseFor(claim, verdict.call, { snapshot: loaded.snapshot, named, schema, engine: new Engine() });
    if (found === null) io.err(`note: ${claim.id}: no request to the inventory is like the one that refutes it\n`);
    else cases.push(found);
  }
  if (cases.length === 0) return DONE;
  try {
    await writeFile(file, casesFile(cases), { flag: 'wx' });
  } catch (error) {
    io.err(
      `${file}: cannot be written (${(error as NodeJS.ErrnoException).code}); name a file that is not there yet\n`,
    );
    return UNREAD;
  }
  io.out(`${file}: ${cases.length} ${cases.length === 1 ? 'case' : 'cases'}\n`);
  return DONE;
}

/** The claims about requests, and where there are control policies those about them; or the exit code after the problems. */
async function claimsAbout(
  { sources, validated, loaded }: Opened,
  solver: Solver,
  folder: string | undefined,
  io: Io,
): Promise<readonly ReadClaims[] | number> {
  let own: ClaimFolder;
  try {
    own = await readClaimFolder(folder ?? SHIPPED_CLAIMS);
  } catch (error) {
    return unread(folder ?? SHIPPED_CLAIMS, error, io);
  }
  const shipped = folder === undefined ? null : await readClaimFolder(SHIPPED_CLAIMS);
  const cedar = newInstance();
  const parts = { solver, engine: new Engine(), cedar };
  const policies = readPolicies(sources, cedar).filter(({ shadow }) => !shadow);
  const found: (ReadClaims | readonly Problem[])[] = [
    readClaims(
      {
        files: [...(shipped === null ? [] : [{ claims: [], facts: shipped.facts }]), own],
        schema: validated.schema,
        namespace: 'Mesh',
        policies,
        alone: false,
        more: (sentences) =>
          estateFacts(loaded.snapshot.inventory, [...policies, ...sentences], cedar, (note) =>
            io.err(`note: ${note}\n`),
          ),
      },
      parts,
    ),
  ];
  const control = validated.control;
  if (control !== null) {
    found.push(
      readClaims(
        {
          files: [...(shipped === null ? [] : [{ claims: [], facts: shipped.control.facts }]), own.control],
          schema: control.schema,
          namespace: 'Control',
          policies: readControlPolicies(sources, cedar),
          alone: false,
          more: () => [],
        },
        parts,
      ),
    );
  }
  const read = found.filter((one) => 'claims' in one);
  const problems = found.flatMap((one) => ('claims' in one ? [] : one));
  return problems.length > 0
    ? report(problems, formatProblem, io, UNREAD)
    : read.filter(({ claims }) => claims.length > 0);
}

function tellOf({ proving }: ReadClaims, io: Io): (claim: Sentence, verdict: ClaimVerdict) => void {
  const permits = new Map(proving.permits.map((permit) => [permit.id, permit]));
  return (claim, verdict) => {
    io.out(`${verdict.kind.padEnd(8)} ${claim.id}: ${claim.sentence}\n`);
    for (const text of details(claim, verdict, permits)) io.out(`  ${text}\n`);
  };
}

function details(claim: Sentence, verdict: ClaimVerdict, permits: ReadonlyMap<string, Rule>): readonly string[] {
  if (verdict.kind === 'proved') return [];
  if (verdict.kind === 'unknown')
    return [`${verdict.environment === null ? '' : `${verdict.environment.name}: `}${verdict.why}`];
  const { environment, call } = verdict;
  const read = [claim.json, ...verdict.permits.flatMap((id) => permits.get(id)?.json ?? [])];
  return [
    `${environment.name} is allowed by ${verdict.permits.join(', ')}, where`,
    ...valuesFor(read, call).map(({ path, value }) => `  ${path} is ${value ?? 'absent'}`),
  ];
}

function asJson(proofs: readonly Proof[]) {
  const { claims, ...counts } = totals(proofs);
  return {
    claims: claims.map(({ claim, verdict }) => ({
      id: claim.id,
      sentence: claim.sentence,
      verdict: verdict.kind,
      ...(verdict.kind === 'refuted' ? { permits: verdict.permits, request: verdict.call } : {}),
      ...(verdict.kind === 'unknown' ? { why: verdict.why, action: verdict.environment?.name ?? null } : {}),
    })),
    ...counts,
  };
}
