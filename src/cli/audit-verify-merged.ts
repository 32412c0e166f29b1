import { Fault } from '../base/fault.ts';
import { MergedAudit, type MergedOptions, type MergedReport } from '../observe/merged/verify-merged.ts';
import { inputName, openInput } from './audit-input.ts';
import { DONE, FAILED, type Io, UNREAD, unread } from './io.ts';

/** Lines that say where a chain ends. */
const MAX_SHOWN = 50;

/** Verifies files together, in any order: 0 when nothing was changed or is missing between two lines of a chain. */
export async function verifyMerged(
  named: readonly string[],
  wanted: readonly string[],
  options: MergedOptions,
  io: Io,
): Promise<number> {
  const merged = new MergedAudit(wanted, options);
  const files = named.map(inputName);
  for (const [at, name] of named.entries()) {
    try {
      const fault = await merged.read(openInput(name, io));
      if (fault instanceof Fault) {
        io.err(`${files[at]}: ${fault.detail}\n`);
        return UNREAD;
      }
    } catch (error) {
      return unread(files[at]!, error, io);
    }
  }
  const report = merged.report();
  const all = files.length === 1 ? files[0]! : `${files.length} files`;
  const faults = [
    ...report.faults.map(({ file, line, kind, message }) => `${files[file]}:${line}: ${kind}: ${message}`),
    ...report.missing.map((hash) => `${all}: ${hash} not found: that line has been removed`),
    ...(report.lines === 0 ? [`${all}: hold no line of an audit`] : []),
  ];
  for (const fault of faults) io.err(`${fault}\n`);
  if (faults.length > 0) return FAILED;
  io.out(summary(all, report));
  return DONE;
}

function summary(all: string, { lines, records, boots, repeated, foreign, torn, lost, chains }: MergedReport): string {
  const continuing = chains.filter(({ continues }) => continues).length;
  const notes = [
    repeated > 0 ? `${repeated} lines stood there twice` : '',
    lost > 0 ? `${lost} records could not be written` : '',
    torn > 0 ? `${torn} cut writes` : '',
    foreign > 0 ? `${foreign} foreign lines skipped` : '',
    continuing > 0 ? `${continuing} of the chains continue an earlier file` : '',
  ].filter((note) => note !== '');
  const head = `${all}: ${lines} lines unbroken in ${chains.length} chains, ${records} records, ${boots} starts`;
  const ends = chains
    .slice(0, MAX_SHOWN)
    .map(({ last: { boot, seq, hash } }) => `  ends with line ${seq} of start ${boot}: ${hash}`);
  const more = chains.length > MAX_SHOWN ? [`  and ${chains.length - MAX_SHOWN} more`] : [];
  return `${[[head, ...notes].join('; '), ...ends, ...more].join('\n')}\n`;
}
