import { Solver } from '../../tools/prove/solver.ts';
import { type Io, UNREAD } from '../io.ts';

export const SOLVER_USAGE = `  $CEDAR, $CVC5      the programs that are asked; default: cedar and cvc5 on PATH
`;

/** The programs that prove, or the exit code after it was said what is missing. */
export async function openSolver({ env, err }: Io): Promise<Solver | number> {
  const solver = await Solver.open({ cedar: env.CEDAR ?? 'cedar', cvc5: env.CVC5 ?? 'cvc5' });
  if (typeof solver !== 'string') return solver;
  err(
    `${solver}; nothing can be asked: name cedar-policy-cli 4.13 with its feature analyze in CEDAR, and cvc5 in CVC5\n`,
  );
  return UNREAD;
}
