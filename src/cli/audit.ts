import { createReadStream } from 'node:fs';
import { parseArgs } from 'node:util';
import { type AuditReport, verifyAudit } from '../observe/verify.ts';
import { DONE, FAILED, type Io, MISUSED } from './io.ts';

export const AUDIT_USAGE =
  'audit verify FILE [--hash HASH …]   follow the hash chain of an audit file; each HASH must be in it\n';

/** `audit verify FILE`: 0 when the lines are as they were written, 1 with each fault and its line otherwise. */
export async function auditCommand([verb, ...rest]: readonly string[], io: Io): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...rest],
    options: { hash: { type: 'string', multiple: true } },
    allowPositionals: true,
  });
  const [file, ...more] = positionals;
  if (verb !== 'verify' || file === undefined || more.length > 0) {
    io.err(AUDIT_USAGE);
    return MISUSED;
  }
  const report = await verifyAudit(createReadStream(file), values.hash ?? []);
  const faults = [
    ...report.faults.map(({ line, kind, message }) => `${file}:${line}: ${kind}: ${message}`),
    ...report.missing.map((hash) => `${file}: no line has the hash ${hash}: it was written, and is gone`),
  ];
  for (const fault of faults) io.err(`${fault}\n`);
  if (faults.length > 0) return FAILED;
  io.out(`${summary(file, report)}\n`);
  return DONE;
}

function summary(file: string, { lines, records, boots, lost, withdrawn, torn, last }: AuditReport): string {
  const notes = [
    lost > 0 ? `${lost} records could not be written` : '',
    withdrawn > 0 ? `${withdrawn} allows were answered as refusals` : '',
    torn > 0 ? `${torn} cut writes` : '',
  ].filter((note) => note !== '');
  const end = last === null ? '' : `, last ${last.seq} ${last.hash}`;
  return [`${file}: ${lines} lines unbroken, ${records} records, ${boots} starts${end}`, ...notes].join('; ');
}
