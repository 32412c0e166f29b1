import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { SolverPaths } from '../../src/tools/prove/solver.ts';
import { cached, inCache } from './cache.ts';
import { run } from './run.ts';
import { words } from './words.ts';

/** Of the same minor as the evaluator. Experimental upstream, so no other release will do. */
const CEDAR_CLI = '4.13.0';
/** Debian's solver, with the libraries of its own that a machine without it lacks. */
const PACKAGES = words('cvc5 libcvc5-1 libcvc5parser1 libantlr3c-3.4-0 libcln6 libcryptominisat5-5.11 libgmp10');

const pathsIn = (cedar: string, cvc5: string): SolverPaths => ({
  cedar: join(cedar, 'bin', 'cedar'),
  cvc5: join(cvc5, 'cvc5'),
});

/** The tools of `policy prove` where they were built before; null where they were not. Nothing is built here. */
export function cachedProveTools(): SolverPaths | null {
  const paths = pathsIn(inCache('cedar-policy-cli', CEDAR_CLI), inCache('cvc5', 'debian'));
  return existsSync(paths.cedar) && existsSync(paths.cvc5) ? paths : null;
}

/** The tools of `policy prove`, built and fetched into the cache when they are not there: about six CPU minutes, once. */
export async function proveTools(): Promise<SolverPaths> {
  const cedar = await cached('cedar-policy-cli', CEDAR_CLI, async (into) => {
    process.stderr.write('building cedar-policy-cli (once; later runs take it from the cache)\n');
    const args = ['install', '--locked', '--features', 'analyze', '--version', CEDAR_CLI, '--root', into];
    await run('cargo', [...args, 'cedar-policy-cli'], {
      env: { CARGO_BUILD_JOBS: '1', ...process.env, CARGO_TARGET_DIR: join(into, 'target') },
    });
    await run('rm', ['-r', join(into, 'target')]);
  });
  const cvc5 = await cached('cvc5', 'debian', async (into) => {
    process.stderr.write("fetching Debian's cvc5 (7 MB, once; later runs take it from the cache)\n");
    await run('apt-get', ['download', '-q', ...PACKAGES], { cwd: into });
    for (const file of readdirSync(into).filter((name) => name.endsWith('.deb')))
      await run('dpkg-deb', ['-x', file, 'root'], { cwd: into });
    const triple = readdirSync(join(into, 'root', 'usr', 'lib')).find((name) => name.includes('-linux-')) ?? '';
    const script = `#!/bin/sh\nusr="$(dirname "$0")/root/usr"\nLD_LIBRARY_PATH="$usr/lib/${triple}" exec "$usr/bin/cvc5" "$@"\n`;
    writeFileSync(join(into, 'cvc5'), script, { mode: 0o755 });
  });
  return pathsIn(cedar, cvc5);
}
