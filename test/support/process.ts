import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

/**
 * A program that runs beside the test, with what it has said so far. It is killed when the test process exits. `open`: its
 * standard input stays open as long as this process runs.
 */
export class Program {
  readonly name: string;
  readonly stdout: string[] = [];
  readonly stderr: string[] = [];
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #atExit: () => void;

  constructor(
    name: string,
    file: string,
    args: readonly string[],
    options: { cwd?: string; env?: NodeJS.ProcessEnv; logFile?: string; open?: boolean } = {},
  ) {
    const { logFile, open = false, ...spawning } = options;
    this.name = name;
    this.#child = spawn(file, args, { ...spawning, stdio: [open ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
    createInterface(this.#child.stdout!).on('line', (line) => this.stdout.push(line));
    createInterface(this.#child.stderr!).on('line', (line) => {
      this.stderr.push(line);
      if (logFile !== undefined) appendFileSync(logFile, `${line}\n`);
    });
    this.#closed = once(this.#child, 'close');
    this.#closed.catch(() => {});
    this.#atExit = () => this.#child.kill('SIGKILL');
    process.once('exit', this.#atExit);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** The exit code, once it has ended by itself; null while it runs, -1 when a signal ended it. */
  get exitCode(): number | null {
    if (this.#child.exitCode !== null) return this.#child.exitCode;
    return this.#child.signalCode === null ? null : -1;
  }

  /** Fails with what the program said when it is no longer running: for use inside `until`. */
  assertRunning(): void {
    if (this.exitCode !== null) throw new Error(`${this.name} ended with ${this.exitCode}\n${this.tail()}`);
  }

  /** The last lines on both outputs, for an error message. */
  tail(): string {
    return [...this.stderr.slice(-20), ...this.stdout.slice(-5)].join('\n');
  }

  /** Waits for its end, which it comes to by itself; the exit code, or -1 when a signal ended it. */
  async ended(): Promise<number> {
    await this.#closed;
    process.off('exit', this.#atExit);
    return this.exitCode ?? -1;
  }

  /** Sends the signal and waits for the end; the exit code, or -1 when the signal ended it. */
  async stop(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<number> {
    if (this.exitCode === null) this.#child.kill(signal);
    return await this.ended();
  }
}
