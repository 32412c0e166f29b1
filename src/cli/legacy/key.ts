import { writeFile } from 'node:fs/promises';
import { apiKeyDigest, newApiKey } from '../../base/secrets/api-key.ts';
import { command, group } from '../commands.ts';
import { DONE, type Io, UNREAD } from '../io.ts';

const DAY_MS = 86_400_000;
/** The guardrail on rotation stops a key that is older. */
const USUAL_DAYS = 90;
const MOST_DAYS = 366;
const OWNER_ONLY = 0o600;

const USAGE = `key new [--days N] [--file FILE]
  makes an API key for a legacy account, and the line for legacy.keys of its inventory entry. Neither is stored anywhere else:
  give the key to the account once, and the line to the inventory
  --days N           the days until it must be rotated: 1 to ${MOST_DAYS}, default ${USUAL_DAYS}; the guardrail stops a key after 90
  --file FILE        writes the key to a new file that its owner alone can read, instead of printing it
`;

const options = { days: { type: 'string' }, file: { type: 'string' } } as const;

/** `key VERB`: API keys of legacy accounts. */
export const key = group('key', {
  new: command(USAGE, options, async ({ values, positionals, misuse }, io) => {
    if (positionals.length > 0) return misuse('key new takes no argument');
    const days = values.days === undefined ? USUAL_DAYS : Number(values.days);
    if (!Number.isInteger(days) || days < 1 || days > MOST_DAYS)
      return misuse(`--days is a number from 1 to ${MOST_DAYS}`);
    const made = newApiKey();
    if (values.file !== undefined && !(await written(values.file, made, io))) return UNREAD;
    io.out(`${values.file === undefined ? `${made}\n` : ''}${entryOf(made, days, Date.now())}\n`);
    return DONE;
  }),
});

/** The line of the inventory. Its last day ends before the key is `days` days old. */
function entryOf(made: string, days: number, nowMs: number): string {
  const created = new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  const rotateBy = new Date(nowMs + (days - 1) * DAY_MS).toISOString().slice(0, 10);
  return `- { sha256: ${apiKeyDigest(made)}, created: '${created}', rotateBy: '${rotateBy}' }`;
}

/** Whether the key stands in a new file. */
async function written(file: string, made: string, io: Io): Promise<boolean> {
  try {
    await writeFile(file, `${made}\n`, { flag: 'wx', mode: OWNER_ONLY });
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    io.err(`${file}: cannot be written (${code ?? message}); name a file that is not there yet\n`);
    return false;
  }
}
