import { auditFind } from '../../src/cli/audit-find.ts';
import { type Commands, dispatch } from '../../src/cli/commands.ts';
import { controlCommands } from '../../src/cli/control/commands.ts';
import type { Finished } from './run.ts';

const commands: Commands = { ...controlCommands, find: auditFind };

/**
 * Runs a command of the control API, or `audit find`, in this process: its exit code, and what it would print. `onError` is
 * told of what it prints on standard error while it runs.
 */
export async function controlCli(
  args: readonly string[],
  onError: (text: string) => void = () => {},
): Promise<Finished> {
  let [stdout, stderr] = ['', ''];
  const io = {
    out: (text: string) => {
      stdout += text;
    },
    err: (text: string) => {
      stderr += text;
      onError(text);
    },
    env: {},
  };
  const code = await dispatch(commands, args, { usage: '', within: '' }, io);
  return { code, stdout, stderr };
}
