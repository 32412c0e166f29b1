import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { corporaDir, hasCorpus } from '../support/corpora.ts';
import { type Mutant, mutantsOf } from './mutants.ts';

/**
 * Does each refusal of the certificate validator have a test? In a copy of the sources, one refusal after another is
 * deleted; the tests must notice. Exit code 1 when a deletion goes unnoticed that is not explained in `explained`.
 */

const root = join(import.meta.dirname, '..', '..');

/** The sources that stand between a text from Envoy and a verified SVID, and between a file and a bundle. */
const sources = [
  'src/spiffe-id.ts',
  'src/identity/der.ts',
  'src/identity/der-time.ts',
  'src/identity/algorithms.ts',
  'src/identity/names.ts',
  'src/identity/names-constraints.ts',
  'src/identity/certificate.ts',
  'src/identity/certificate-extensions.ts',
  'src/identity/certificate-pem.ts',
  'src/identity/path.ts',
  'src/identity/x509-svid.ts',
  'src/identity/svid-cache.ts',
  'src/identity/bundle.ts',
  'src/identity/bundle-document.ts',
];

/** All that may notice, the quick ones first. */
const tests = [
  'src/spiffe-id.test.ts',
  'src/identity/der.test.ts',
  'src/identity/certificate-pem.test.ts',
  'src/identity/names-constraints.test.ts',
  'src/identity/bundle-document.test.ts',
  'src/identity/bundle-source.test.ts',
  'src/identity/svid-cache.test.ts',
  'src/identity/x509-svid.test.ts',
  'src/identity/path.test.ts',
  'src/identity/certificate.test.ts',
  'test/mutation/x509-corpora.ts',
];

/** Deletions that no test can notice, by `file: statement`, each with its reason. */
const explained: Readonly<Record<string, string>> = {};

/** A mutant that runs longer has lost a bound, and so was noticed. */
const PATIENCE_MS = 60_000;

/** Runs tests in a copy of the project; true when all passed. */
function passes(folder: string, files: readonly string[]): Promise<boolean> {
  const flags = ['--test', '--test-isolation=none', '--test-reporter=dot'];
  const child = spawn(process.execPath, [...flags, ...files], {
    cwd: folder,
    stdio: 'ignore',
    timeout: PATIENCE_MS,
    killSignal: 'SIGKILL',
    env: { ...process.env, CORPORA_DIR: corporaDir, CI: 'true' },
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code === 0));
  });
}

function copyProject(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mutants-'));
  for (const part of ['src', 'test', 'package.json']) cpSync(join(root, part), join(folder, part), { recursive: true });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

/** True when some test noticed. The tests of the mutated file itself come first: mostly they are enough. */
async function noticed(folder: string, { file, mutated }: Mutant): Promise<boolean> {
  const original = readFileSync(join(folder, file), 'utf8');
  writeFileSync(join(folder, file), mutated);
  try {
    const own = tests.filter((test) => test === file.replace(/\.ts$/, '.test.ts'));
    if (own.length > 0 && !(await passes(folder, own))) return true;
    return !(await passes(folder, tests));
  } finally {
    writeFileSync(join(folder, file), original);
  }
}

async function main(): Promise<number> {
  if (!['spiffe', 'x509-limbo', 'x509-traps'].every(hasCorpus)) {
    process.stderr.write(`SKIPPED: the corpora are not at ${corporaDir}\n`);
    return 0;
  }
  const mutants = sources.flatMap((file) => mutantsOf(file, readFileSync(join(root, file), 'utf8')));
  const folders = Array.from({ length: Math.min(availableParallelism(), 4) }, copyProject);
  const started = performance.now();
  try {
    if (!(await passes(folders[0]!, tests))) {
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
  const names = survivors.map(({ file, statement }) => `${basename(file)}: ${statement}`);
  const unexplained = survivors.filter((_, i) => !Object.hasOwn(explained, names[i]!));
  const idle = Object.keys(explained).filter((name) => !names.includes(name));
  for (const { file, line, statement } of unexplained)
    process.stdout.write(`  unnoticed: ${file}:${line} ${statement}\n`);
  for (const name of idle) process.stdout.write(`  explained, but noticed or gone: ${name}\n`);
  const counts = `${mutants.length} mutants, ${unexplained.length} unnoticed, ${names.length - unexplained.length} explained`;
  process.stdout.write(`mutation x509: ${counts}, ${Math.round(ms / 1000)} s\n`);
  return mutants.length > 0 && unexplained.length + idle.length === 0 ? 0 : 1;
}

process.exit(await main());
