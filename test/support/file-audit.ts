import { Audit } from '../../src/observe/audit.ts';
import { FileSink } from '../../src/observe/sink.ts';

/** An audit of the product that writes to a file, and denies where it cannot. */
export const fileAudit = (file: string): Promise<Audit> =>
  Audit.start({
    sinks: [new FileSink(file)],
    queue: 64,
    onFailure: 'deny',
    now: Date.now,
    start: {},
    report: () => {},
  });
