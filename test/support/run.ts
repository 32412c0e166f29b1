import { execFile } from 'node:child_process';

/** What a finished program said. */
export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface RunOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly input?: string;
}

/** Runs a program to its end, whatever its exit code. Fails only when the program cannot be started or was killed. */
export function finish(program: string, args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      args,
      { cwd: options.cwd, env: options.env, maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') reject(error);
        else resolve({ code: child.exitCode ?? -1, stdout, stderr });
      },
    );
    // A program may end without reading what it is given.
    child.stdin?.on('error', () => {});
    child.stdin?.end(options.input ?? '');
  });
}

/** Runs a program that has to succeed; its standard output. A failure carries what it said. */
export async function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await finish(program, args, options);
  if (code !== 0) throw new Error(`${program} ${args[0] ?? ''} ended with ${code}\n${stdout}${stderr}`);
  return stdout;
}
