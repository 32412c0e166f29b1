/** One fault of a file, where it stands and what to do about it. Lines and columns count from 1. */
export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** What is wrong, and after a semicolon what to do. */
  readonly message: string;
}

/** Beyond so many a report helps nobody, and to say where each stands takes its time. */
export const MAX_PROBLEMS = 1000;

/** `file:line:column: message`, as compilers write it, so that editors can jump there. */
export function formatProblem(problem: Problem): string {
  return `${problem.file}:${problem.line}:${problem.column}: ${problem.message}`;
}

/** A fault of a file as a whole, or of several. */
export function problemAtStart(file: string, message: string): Problem {
  return { file, line: 1, column: 1, message };
}

/** By place in the file, then by text: the same faults make the same report. */
export function sortProblems(problems: readonly Problem[]): Problem[] {
  return problems.toSorted(
    (a, b) => compare(a.file, b.file) || a.line - b.line || a.column - b.column || compare(a.message, b.message),
  );
}

const compare = (a: string, b: string): number => Number(a > b) - Number(a < b);
