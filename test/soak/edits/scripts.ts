import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { parse, stringify } from 'yaml';
import type { Random } from '../../support/tools/random.ts';

/** Everything that a snapshot is made of, as files by their paths below one folder. */
export type FileSet = ReadonlyMap<string, string>;

/** One change to the files. A step ends before a writer may pause. */
export interface Step {
  readonly what: string;
  run(root: string): void;
}

/** The endpoints that the sets decide about, and which of two callers the inventory lists. */
export const ENDPOINTS = [1, 2, 3, 4, 5, 6];
const LEDGER = 'spiffe://prod.example/ns/payments/sa/ledger';
const READER = 'spiffe://prod.example/ns/support/sa/reader';
const endpoint = (n: number): string => `Mesh::Endpoint::"payments.internal/api/invoices/${n}"`;
const HEADER = '// Who may read which invoice. Ask payments before you change this file.\n// Reviewed by two.\n';

/** A set drawn at random. What it answers is plain from it: see `answers`. */
export function drawSet(random: Random, shipped: FileSet): FileSet {
  const policies = new Map<string, string[]>();
  const put = (file: string, text: string): void => {
    policies.set(file, [...(policies.get(file) ?? []), text]);
  };
  put(
    'policies/p0.cedar',
    '@id("status") permit (principal, action, resource in Mesh::Api::"payments.internal/status");',
  );
  const expected: string[] = [];
  for (const n of ENDPOINTS) {
    const [permitted, forbidden, byTeam] = [random.below(5) > 0, random.below(2) > 0, random.below(3) === 0];
    if (permitted)
      put(
        `policies/p${random.below(3)}.cedar`,
        `@id("permit-${n}") permit (principal, action, resource == ${endpoint(n)});`,
      );
    if (forbidden && byTeam)
      put(
        `policies/teams/payments/t${random.below(2)}.cedar`,
        `@id("team-${n}") forbid (principal, action, resource in Mesh::Team::"payments") when { resource == ${endpoint(n)} };`,
      );
    else if (forbidden)
      put(
        `policies/f${random.below(3)}.cedar`,
        `@id("forbid-${n}") forbid (principal, action, resource == ${endpoint(n)});`,
      );
    if (random.below(2) === 0) expected.push(caseOf(n, permitted && !forbidden));
  }
  const set = new Map(
    [...shipped].map(([file, text]) => [file, random.below(4) === 0 ? `${text}// ${random.below(1000)}\n` : text]),
  );
  for (const [file, texts] of policies) set.set(file, `${HEADER}${texts.join('\n')}\n`);
  if (expected.length > 0) set.set(`policies/tests/c${random.below(2)}.yaml`, `cases:\n${expected.join('\n')}\n`);
  set.set('inventory.yaml', inventory(shipped.get('inventory.yaml')!, random.below(2) === 0));
  return set;
}

function caseOf(n: number, allowed: boolean): string {
  const expect = allowed ? 'allow' : 'deny';
  return `  - { name: invoice ${n}, caller: "${LEDGER}", request: GET payments.internal/api/invoices/${n}, expect: ${expect} }`;
}

function inventory(text: string, withReader: boolean): string {
  const content = parse(text) as { workloads: { id?: string }[] };
  const workloads = withReader ? content.workloads : content.workloads.filter(({ id }) => id !== READER);
  return stringify({ ...content, workloads });
}

/** Whether the set lets each caller read each invoice. */
export function answers(set: FileSet, caller: 'ledger' | 'reader', n: number): boolean {
  const all = [...set]
    .filter(([file]) => file.endsWith('.cedar'))
    .map(([, text]) => text)
    .join('\n');
  const listed = caller === 'ledger' || set.get('inventory.yaml')!.includes(READER);
  return listed && all.includes(`"permit-${n}"`) && !all.includes(`"forbid-${n}"`) && !all.includes(`"team-${n}"`);
}

/** Steps in some order and by some ways that make one set of another. */
export function drawSteps(random: Random, from: FileSet, to: FileSet): Step[] {
  const changed = [...new Set([...from.keys(), ...to.keys()])].filter((file) => from.get(file) !== to.get(file));
  const lists = shuffled(random, changed).map((file) =>
    stepsOf(random, file, from.get(file) ?? null, to.get(file) ?? null),
  );
  if (random.below(2) === 0) return lists.flat();
  // Interleaved: while one file is half written, others change.
  const steps: Step[] = [];
  while (lists.some((list) => list.length > 0)) {
    const left = lists.filter((list) => list.length > 0);
    steps.push(random.pick(left).shift()!);
  }
  return steps;
}

function stepsOf(random: Random, file: string, old: string | null, text: string | null): Step[] {
  if (text === null) {
    const away: Step = { what: `remove ${file}`, run: (root) => rmSync(join(root, file)) };
    return random.below(2) === 0 ? [away] : [write(file, old!.slice(0, random.below(old!.length))), away];
  }
  const draft = join(dirname(file), `.${basename(file)}.draft`);
  switch (random.below(old === null ? 3 : 5)) {
    case 0:
      return [write(file, text)];
    case 1:
      return pieces(random, file, text);
    case 2:
      return [
        write(draft, text),
        { what: `rename to ${file}`, run: (root) => renameSync(join(root, draft), join(root, file)) },
      ];
    case 3:
      return [{ what: `remove ${file}`, run: (root) => rmSync(join(root, file)) }, ...pieces(random, file, text)];
    default:
      // Moved away and written anew, as some editors do with their copy.
      return [
        { what: `move ${file} away`, run: (root) => renameSync(join(root, file), join(root, draft)) },
        write(file, text),
        { what: `remove ${draft}`, run: (root) => rmSync(join(root, draft)) },
      ];
  }
}

/** In place, a piece at a time; often cut where a policy or the comment above it ends. */
function pieces(random: Random, file: string, text: string): Step[] {
  const ends = [0, HEADER.length, text.indexOf(';') + 2, random.below(text.length), random.below(text.length)]
    .filter((end) => end < text.length)
    .toSorted((a, b) => a - b);
  return [
    write(file, text.slice(0, ends[0])),
    ...ends.map((end, at): Step => {
      const next = text.slice(end, ends[at + 1] ?? text.length);
      return { what: `append ${next.length} to ${file}`, run: (root) => appendFileSync(join(root, file), next) };
    }),
  ];
}

function write(file: string, text: string): Step {
  return {
    what: `write ${text.length} to ${file}`,
    run: (root) => {
      mkdirSync(dirname(join(root, file)), { recursive: true });
      writeFileSync(join(root, file), text);
    },
  };
}

/** Writes a whole set below a folder. */
export function writeSet(root: string, set: FileSet): void {
  for (const [file, text] of set) write(file, text).run(root);
}

/** Files as they are below a folder. */
export function readSet(root: string, files: readonly string[]): FileSet {
  return new Map(files.map((file) => [file, readFileSync(join(root, file), 'utf8')]));
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.below(left.length), 1)[0]!);
}
