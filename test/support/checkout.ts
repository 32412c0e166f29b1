import { join } from 'node:path';
import { cached } from './cache.ts';
import { finish, run } from './run.ts';

const root = join(import.meta.dirname, '..', '..');

/** Whether the history of this checkout holds a commit. */
export const hasCommit = async (commit: string): Promise<boolean> =>
  (await finish('git', ['cat-file', '-e', `${commit}^{commit}`], { cwd: root })).code === 0;

/** The files of a commit in the cache, with packages of their own: they outlive those of this tree. */
export async function checkout(commit: string): Promise<string> {
  const sha = (await run('git', ['rev-parse', '--verify', `${commit}^{commit}`], { cwd: root })).trim();
  return await cached('checkout', sha, async (into) => {
    await run('sh', ['-c', `git archive ${sha} | tar -x -C '${into}'`], { cwd: root });
    await run('npm', ['ci', '--no-fund', '--no-audit'], { cwd: into });
  });
}
