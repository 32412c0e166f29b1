import { type AuditReport, verifyAudit } from '../observe/verify.ts';
import { auditFind } from './audit-find.ts';
import { inputName, openInput } from './audit-input.ts';
import { verifyMerged } from './audit-verify-merged.ts';
import { type CommandLine, command, group } from './commands.ts';
import { DONE, FAILED, type Io, unread } from './io.ts';

const VERIFY_USAGE = `audit verify FILE … [--hash HASH …] [--skip-foreign] [--merged] [--member NAME]
  verifies the hash chain of an audit file: 0 if no line was changed or removed, 1 with each fault and its line; of
  several files, the lines of all of them together, in any order
  FILE               - reads standard input; a name that ends in .gz is unpacked
  --hash HASH        a hash from elsewhere, such as Envoy's access log, that one line must have
  --skip-foreign     skips lines that are no audit lines, such as log messages, and removes the timestamp that
                     kubectl or a container runtime puts before each line
  --merged           one file holds lines of several sidecars, or out of order; a line that a shipper sent twice counts once
  --member NAME      each line is a JSON object of a shipper, whose member NAME is the line as it was written
`;

const OPTIONS = {
  hash: { type: 'string', multiple: true },
  'skip-foreign': { type: 'boolean' },
  merged: { type: 'boolean' },
  member: { type: 'string' },
} as const;

/** `audit verify FILE`: 0 when the lines are as they were written, 1 with each fault and its line otherwise. */
async function verify({ values, positionals, misuse }: CommandLine<typeof OPTIONS>, io: Io): Promise<number> {
  const [named, ...more] = positionals;
  if (named === undefined) return misuse('name an audit file, or -');
  const wanted = values.hash ?? [];
  const skipForeign = values['skip-foreign'] === true;
  const { merged = false, member = null } = values;
  if (more.length > 0 || merged || member !== null)
    return verifyMerged(positionals, wanted, { skipForeign, member }, io);
  const file = inputName(named);
  let report: AuditReport;
  try {
    report = await verifyAudit(openInput(named, io), wanted, { skipForeign });
  } catch (error) {
    return unread(file, error, io);
  }
  const faults = [
    ...report.faults.map(({ line, kind, message }) => `${file}:${line}: ${kind}: ${message}`),
    ...report.missing.map((hash) => `${file}: ${hash} not found: that line has been removed`),
    ...(report.lines === 0 ? [`${file}: holds no line of an audit`] : []),
  ];
  for (const fault of faults) io.err(`${fault}\n`);
  if (faults.length > 0) return FAILED;
  io.out(`${summary(file, report)}\n`);
  return DONE;
}

/** `audit VERB …`. */
export const audit = group('audit', { verify: command(VERIFY_USAGE, OPTIONS, verify), find: auditFind });

function summary(file: string, report: AuditReport): string {
  const { lines, records, boots, changes, controlCalls, lost, withdrawn, torn, foreign, continues, last } = report;
  const notes = [
    changes > 0 ? `${changes} changes of policies or trust` : '',
    controlCalls > 0 ? `${controlCalls} calls of the control API` : '',
    lost > 0 ? `${lost} records could not be written` : '',
    withdrawn > 0 ? `${withdrawn} allows were answered as refusals` : '',
    torn > 0 ? `${torn} cut writes` : '',
    foreign > 0 ? `${foreign} foreign lines skipped` : '',
    continues ? 'it continues an earlier file' : '',
  ].filter((note) => note !== '');
  const end = last === null ? '' : `, last ${last.seq} ${last.hash}`;
  return [`${file}: ${lines} lines unbroken, ${records} records, ${boots} starts${end}`, ...notes].join('; ');
}
