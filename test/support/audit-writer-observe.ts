import { Audit } from '../../src/observe/audit.ts';
import { FileSink } from '../../src/observe/sink.ts';
import { auditRecord } from './audit-observe.ts';

/** Writes audit lines to the file that the first argument names until it is killed; says `writing` once it does. */
const audit = await Audit.start({
  sinks: [new FileSink(process.argv[2]!)],
  queue: 1000,
  onFailure: 'deny',
  now: () => Date.UTC(2026, 10, 25),
  start: {},
  report: () => {},
});
for (let round = 0; ; round++) {
  await Promise.all(Array.from({ length: 100 }, () => audit.record(auditRecord(), 10_000)));
  if (round === 1) process.stdout.write('writing\n');
}
