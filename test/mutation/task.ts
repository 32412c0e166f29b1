import { spawn } from 'node:child_process';
import { cpSync, globSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * Does each check of task tokens, binding, proofs, chains and single use have a test? In a copy of the sources, one guard
 * after another is deleted, and one condition after another is weakened; the tests must notice. Exit code 1 when one goes
 * unnoticed that is not explained in `explained`.
 */

interface Mutant {
  readonly file: string;
  readonly what: string;
  readonly mutated: string;
}

const root = join(import.meta.dirname, '..', '..');
const sources = globSync('src/{task,state}/*.ts', { cwd: root }).filter((file) => !file.endsWith('.test.ts'));
const tests = globSync('src/{task,state}/*.test.ts', { cwd: root });

/** Checks that are no statement of their own: the text of each, which stands there once, and what is left of it. */
const conditions: readonly (readonly [file: string, text: string, weakened: string])[] = [
  ['agree.ts', 'declared.id !== task.id || ', ''],
  ['agree.ts', ' || declared.purpose !== task.purpose', ''],
  ['agree.ts', 'Math.min(task.assurance, other.task.assurance)', 'task.assurance'],
  ['agree.ts', 'Math.min(task.expiresAt, other.task.expiresAt)', 'task.expiresAt'],
  ['agree.ts', "return ids(a) === ids(b) ? null : 'chain'", 'return null'],
  ['binding.ts', "forwarded && token.scope.propagation !== 'forwarded'", 'false'],
  ['binding.ts', 'byName && caller.possession', 'byName'],
  ['binding.ts', ' || certificate !== null', ''],
  ['binding.ts', 'bound && !forwarded', 'bound'],
  ['binding.ts', 'bound && !forwarded', '!forwarded'],
  ['binding.ts', 'proven.size > 0 ? 3 : 2', '3'],
  ['binding.ts', 'proven.size > 0 ? 3 : 2', '2'],
  ['binding.ts', 'Math.min(most, scope.maxAssurance)', 'most'],
  ['binding.ts', '[purpose, ...wider]', '[purpose]'],
  ['candidate.ts', '.filter((one): one is TxnTokenIssuer =>', '.filter((one): one is TxnTokenIssuer => true ||'],
  ['dpop.ts', 'origin === null || target === null', 'origin === null'],
  ['dpop.ts', "options.nonce.required ? 'bad' : 'good'", "'good'"],
  ['dpop.ts', "judgeNonce(nonce, owner, options, now) : 'bad'", "judgeNonce(nonce, owner, options, now) : 'good'"],
  ['dpop.ts', "typeof iat === 'number' && Number.isSafeInteger(iat) ? iat : null", 'iat as number'],
  ['dpop-nonce.ts', ' || !timingSafeEqual(bytes, expected)', ''],
  ['dpop-nonce.ts', 'age < -LEEWAY_SECONDS || ', ''],
  ['dpop-nonce.ts', ' || age > nonce.lifetimeSeconds', ''],
  ['dpop-nonce.ts', '[seconds, caller, origin]', '[seconds, caller]'],
  ['dpop-nonce.ts', '[seconds, caller, origin]', '[seconds, origin]'],
  ['dpop-nonce.ts', '[seconds, caller, origin]', '[caller, origin]'],
  ['named.ts', 'workloadOf(text, by, known)', 'workloadOf(text, issuer, known)'],
  ['named.ts', 'others: present([...holders, subject])', 'others: []'],
  ['named.ts', 'others: present(holders)', 'others: []'],
  ['named.ts', 'holders.length > 0 ? holders[0]! : subject', 'holders[0] ?? subject'],
  ['proof.ts', '[kind, keyThumbprint, jti]', '[kind, jti]'],
  ['proof.ts', '[kind, keyThumbprint, jti]', '[kind, keyThumbprint]'],
  ['proof.ts', 'jti.length <= MAX_JTI_CHARS', 'true'],
  ['proof.ts', "jti !== ''", 'true'],
  ['proofs.ts', 'this.#dpop?.token === token', 'this.#dpop !== null'],
  ['proofs.ts', "token === null || token.scheme === 'bearer'", 'token === null'],
  ['target-uri.ts', 'DOT_SEGMENT.test(decoded)', 'false'],
  ['task-token.ts', 'checkAudience(claims, audience) ??', ''],
  ['task-token.ts', "missingClaim(claims, ['iat']) ??\n      missingText", 'missingText'],
  ['task-token.ts', "missingClaim(claims, ['iat']) ?? missingText", 'missingText'],
  ['task-token.ts', "['iss', 'sub', 'client_id', 'jti']", "['iss', 'sub', 'client_id']"],
  ['task-token.ts', "['iss', 'sub', 'client_id', 'jti']", "['iss', 'sub', 'jti']"],
  ['task-token.ts', "['txn', 'sub', 'scope', 'req_wl']", "['txn', 'sub', 'scope']"],
  ['task-token.ts', "['txn', 'sub', 'scope', 'req_wl']", "['txn', 'sub', 'req_wl']"],
  ['wimse.ts', 'targetFault(claims, occasion) ??', ''],
  ['wimse.ts', 'windowFault(exp, options, occasion.now) ??', ''],
  ['wimse.ts', ' ?? tokensFault(claims, occasion)', ''],
  ['wimse.ts', "normalTargetUri(aud) === target ? null : ['task_wpt_target', 'aud is another target URI']", 'null'],
  ['wimse.ts', '!caller.possession || ', ''],
  ['wimse.ts', ' || subject.text !== caller.workload.id.text', ''],
  ['wimse.ts', 'hash !== hashOf(value.trim())', 'false'],
  ['memory.ts', "use.requestId !== '' && ", ''],
  ['memory.ts', ' && Number.isFinite(use.deadline)', ''],
  ['memory.ts', ' || now > first.deadline', ''],
  ['memory.ts', 'first.requestId === use.requestId &&', ''],
  ['memory.ts', 'first.checkPeer === use.checkPeer &&', ''],
  ['memory.ts', 'first.digest === use.digest &&', ''],
  ['memory.ts', ' &&\n      first.judgedBy === use.judgedBy', ''],
  ['memory.ts', 'used.length === claims.length && ', ''],
  ['memory.ts', 'Number.isFinite(until) && ', ''],
];

/** Deletions that no test can notice, by `file: statement`, each with its reason. */
const explained: Readonly<Record<string, string>> = {};

const PATIENCE_MS = 60_000;
/** A guard: an `if` of which the body only leaves the function. */
const GUARD = /(?<=^ *)if \(/gm;
const LEAVES = /^(?:\{\s*)?return\b/;

function mutantsOf(file: string): readonly Mutant[] {
  const text = readFileSync(join(root, file), 'utf8');
  const guards = [...text.matchAll(GUARD)].flatMap(({ index }) => {
    const body = skip(text, text.indexOf('(', index));
    const statement = text.slice(body).trimStart();
    if (!LEAVES.test(statement)) return [];
    const start = text.length - statement.length;
    const end = statement.startsWith('{') ? skip(text, start) : statementEnd(text, start);
    const what = text.slice(index, end).replace(/\s+/g, ' ');
    return [{ file, what, mutated: `${text.slice(0, index)};${text.slice(end)}` }];
  });
  const weakened = conditions
    .filter(([name]) => file.endsWith(`/${name}`))
    .map(([name, part, left]) => {
      if (text.split(part).length !== 2) throw new Error(`${name} does not hold this once: ${part}`);
      return { file, what: `${part.replace(/\s+/g, ' ')} -> ${left}`, mutated: text.replace(part, () => left) };
    });
  return [...guards, ...weakened];
}

/** Behind the bracket that closes the one at `open`. */
function skip(text: string, open: number): number {
  let depth = 0;
  for (let at = open; at < text.length; at++) {
    const char = text[at]!;
    if (char === "'" || char === '`') at = closingQuote(text, at);
    else if ('([{'.includes(char)) depth++;
    else if (')]}'.includes(char) && --depth === 0) return at + 1;
  }
  throw new Error(`a bracket without an end at ${open}`);
}

function statementEnd(text: string, start: number): number {
  for (let at = start; at < text.length; at++) {
    const char = text[at]!;
    if (char === ';') return at + 1;
    if ('([{'.includes(char)) at = skip(text, at) - 1;
    else if (char === "'" || char === '`') at = closingQuote(text, at);
  }
  throw new Error(`a statement without an end at ${start}`);
}

function closingQuote(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\\') at++;
    else if (text[at] === text[open]) return at;
  }
  throw new Error(`a quote without an end at ${open}`);
}

/** Runs the tests in a copy of the project; true when all passed. */
function passes(folder: string): Promise<boolean> {
  const flags = ['--test', '--test-isolation=none', '--test-reporter=dot'];
  const child = spawn(process.execPath, [...flags, ...tests], {
    cwd: folder,
    stdio: 'ignore',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  });
}

function copyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'task-mutants-'));
  for (const part of ['src', 'test/support', 'docs', 'package.json'])
    cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

async function noticed(folder: string, { file, mutated }: Mutant): Promise<boolean> {
  const original = readFileSync(join(folder, file), 'utf8');
  writeFileSync(join(folder, file), mutated);
  try {
    return !(await passes(folder));
  } finally {
    writeFileSync(join(folder, file), original);
  }
}

async function main(): Promise<number> {
  const mutants = sources.flatMap(mutantsOf);
  const folders = Array.from({ length: Math.min(availableParallelism(), 4) }, copyProject);
  const started = performance.now();
  try {
    if (!(await passes(folders[0]!))) {
      process.stderr.write('the tests fail without any mutation\n');
      return 1;
    }
    const survivors: Mutant[] = [];
    const queue = [...mutants];
    const work = async (folder: string) => {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        if (!(await noticed(folder, mutant))) survivors.push(mutant);
      }
    };
    await Promise.all(folders.map(work));
    return report(mutants, survivors, performance.now() - started);
  } finally {
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
  }
}

function report(mutants: readonly Mutant[], survivors: readonly Mutant[], ms: number): number {
  const names = survivors.map(({ file, what }) => `${file.replace('src/', '')}: ${what}`);
  const unexplained = names.filter((name) => !Object.hasOwn(explained, name));
  const idle = Object.keys(explained).filter((name) => !names.includes(name));
  for (const name of unexplained) process.stdout.write(`  unnoticed: ${name}\n`);
  for (const name of idle) process.stdout.write(`  explained, but noticed or gone: ${name}\n`);
  const counts = `${mutants.length} mutants, ${unexplained.length} unnoticed, ${names.length - unexplained.length} explained`;
  process.stdout.write(`mutation task: ${counts}, ${Math.round(ms / 1000)} s\n`);
  return mutants.length > 0 && unexplained.length + idle.length === 0 ? 0 : 1;
}

process.exit(await main());
