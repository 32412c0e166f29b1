import { parentPort, workerData } from 'node:worker_threads';
import { newInstance } from '../decide/engine.ts';
import type { SourceFile } from '../text/source-file.ts';
import { type JudgedEmergency, judgeEmergency } from './emergency.ts';

/** What a worker is given. `nowMs`: milliseconds since the epoch. */
export interface EmergencyWork {
  readonly files: readonly SourceFile[];
  readonly schema: SourceFile;
  readonly nowMs: number;
}

parentPort?.postMessage(judged(workerData as EmergencyWork));

/** Null where a file kills this instance, as it would the serving one. */
function judged({ files, schema, nowMs }: EmergencyWork): JudgedEmergency | null {
  try {
    const answer = judgeEmergency(files, schema, newInstance(), nowMs);
    return 'files' in answer ? answer : null;
  } catch {
    return null;
  }
}
