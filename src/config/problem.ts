/** One thing that is wrong in the configuration, where it stands, and what to do about it. Never quotes a value. */
export interface ConfigProblem {
  readonly file: string;
  /** 1-based; 0 where the file as a whole is meant. */
  readonly line: number;
  /** 1-based; 0 where the file as a whole is meant. */
  readonly column: number;
  /** The key, as in `identity.trustDomains["prod.example"].maxStale`; empty for the file as a whole. */
  readonly path: string;
  readonly message: string;
}

/** `file:line:column: path: message`, one line each, for a person and for editors that jump to such places. */
export function formatProblem(problem: ConfigProblem): string {
  const place = problem.line === 0 ? problem.file : `${problem.file}:${problem.line}:${problem.column}`;
  return problem.path === '' ? `${place}: ${problem.message}` : `${place}: ${problem.path}: ${problem.message}`;
}

/** A fault found at a key of the document, before its line is looked up. */
export interface KeyProblem {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

const PLAIN_KEY = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** A path as a person writes it: `identity.oidc[0].issuer`, keys that are no plain names in brackets. */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = '';
  for (const step of path) {
    if (typeof step === 'number') text += `[${step}]`;
    else if (PLAIN_KEY.test(String(step))) text += text === '' ? String(step) : `.${String(step)}`;
    else text += `[${JSON.stringify(String(step))}]`;
  }
  return text;
}
