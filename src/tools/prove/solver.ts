import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf } from '../../base/fault.ts';
import type { RequestEnvironment } from './environments.ts';

/** What is asked of two sets of policies, or of one, for every request of an environment. */
export type SolverQuestion =
  /** Whatever `policies` allow, `others` allow. */
  | { readonly kind: 'implies'; readonly policies: string; readonly others: string }
  /** `policies` allow nothing. */
  | { readonly kind: 'always-denies'; readonly policies: string }
  /** The one policy can be evaluated for every request. */
  | { readonly kind: 'never-errors'; readonly policies: string };

/** `unknown` for whatever is not understood, and after a time-out: never a yes. */
export type SolverAnswer =
  | { readonly kind: 'holds' }
  | { readonly kind: 'fails'; readonly counterexample: string }
  | { readonly kind: 'unknown'; readonly why: string };

/** Where the programs are. */
export interface SolverPaths {
  readonly cedar: string;
  readonly cvc5: string;
}

/** The releases of Cedar's command line whose output is understood: those of one minor with the evaluator. */
const CEDAR_RELEASE = /^cedar-policy-cli (4\.13\.\d+)$/;
const CVC5_RELEASE = /^This is cvc5 version (\S+)/;
const PROPERTIES = {
  implies: 'Policy set 1 implies policy set 2',
  'always-denies': 'Policy set always denies',
  'never-errors': 'Policy never errors',
} as const;
const MAX_OUTPUT = 4 * 1024 * 1024;
const PATIENCE_MS = 70_000;
const MAX_WHY = 300;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Cedar's symbolic compiler with an SMT solver behind it. Each question is about one environment and starts two processes.
 * The compiler's exit code says nothing, so its output is read strictly.
 */
export class Solver {
  readonly versions: Readonly<Record<keyof SolverPaths, string>>;
  readonly #paths: SolverPaths;
  readonly #folder = mkdtempSync(join(tmpdir(), 'prove-'));
  readonly #written = new Set<string>();
  #asked = 0;

  private constructor(paths: SolverPaths, versions: Solver['versions']) {
    this.#paths = paths;
    this.versions = versions;
  }

  /** The programs at these paths, or what is missing of them. */
  static async open(paths: SolverPaths): Promise<Solver | string> {
    const versions: Record<string, string> = {};
    for (const [name, release] of [
      ['cedar', CEDAR_RELEASE],
      ['cvc5', CVC5_RELEASE],
    ] as const) {
      const ended = await end(paths[name], ['--version']);
      const first = typeof ended === 'string' ? ended : (ended.stdout.split('\n')[0] ?? '');
      const version = release.exec(first.trim())?.[1];
      if (version === undefined) return `${paths[name]} is not to be had, or of another release: ${clipped(first)}`;
      versions[name] = version;
    }
    return new Solver(paths, versions as Solver['versions']);
  }

  /** Questions so far. */
  get asked(): number {
    return this.#asked;
  }

  async ask(question: SolverQuestion, schema: string, environment: RequestEnvironment): Promise<SolverAnswer> {
    this.#asked++;
    const two = question.kind === 'implies';
    const ended = await end(this.#paths.cedar, [
      'symcc',
      ...['--cvc5-path', this.#paths.cvc5],
      ...['--principal-type', environment.principal],
      ...['--action', environment.action],
      ...['--resource-type', environment.resource],
      ...['--schema', this.#file('schema', schema)],
      question.kind,
      ...[two ? '--policies1' : '--policies', this.#file('policies', question.policies)],
      ...(two ? ['--policies2', this.#file('policies', question.others)] : []),
    ]);
    return typeof ended === 'string' ? { kind: 'unknown', why: ended } : answerOf(ended, PROPERTIES[question.kind]);
  }

  /** Removes what was written for the programs. */
  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** A file with this text: one for each text. */
  #file(kind: string, text: string): string {
    const digest = createHash('sha256').update(text).digest('hex').slice(0, 32);
    const path = join(this.#folder, `${kind}-${digest}`);
    if (!this.#written.has(path)) writeFileSync(path, text);
    this.#written.add(path);
    return path;
  }
}

/** What the compiler said of a property. */
export function answerOf({ code, stdout, stderr }: Ended, property: string): SolverAnswer {
  const held = `✓ ${property}: VERIFIED\n`;
  const failed = `✗ ${property}: DOES NOT HOLD\n  Counterexample found:\n`;
  if (code === 0 && stderr === '' && stdout === held) return { kind: 'holds' };
  if (code === 0 && stderr === '' && stdout.startsWith(failed))
    return { kind: 'fails', counterexample: stdout.slice(failed.length) };
  return { kind: 'unknown', why: clipped(stderr.trim() || stdout.trim() || `it ended with ${code}`) };
}

const clipped = (text: string): string => text.replace(/\s+/g, ' ').slice(0, MAX_WHY);

/** Runs a program to its end; in words why there is none. */
function end(program: string, args: readonly string[]): Promise<Ended | string> {
  return new Promise((resolve) => {
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
    });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const)
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        said[name] += chunk;
        if (said[name].length > MAX_OUTPUT) child.kill('SIGKILL');
      });
    child.on('error', (error) => resolve(messageOf(error)));
    child.on('close', (code, signal) =>
      resolve(signal === null ? { code, ...said } : `it was ended after ${PATIENCE_MS / 1000} s, or said too much`),
    );
  });
}
