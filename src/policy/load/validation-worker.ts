import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../../base/fault.ts';
import { type Problem, problemAtStart } from '../../source/problem.ts';
import { newInstance } from '../decide/engine.ts';
import type { ValidatedPolicies } from '../decide/validated.ts';
import type { Sources } from '../text/sources.ts';
import type { Rejection } from './load.ts';
import { validate } from './validate.ts';
import { WorkloadsUnread } from './workload-lines.ts';

parentPort?.postMessage(judged(workerData as Sources));

/** What kills this instance would have killed the serving one: that is a verdict too. */
function judged(sources: Sources): ValidatedPolicies | Problem[] | Rejection {
  try {
    return validate(sources, newInstance());
  } catch (error) {
    if (error instanceof WorkloadsUnread) return { problems: [error.problem], transient: true };
    return [
      problemAtStart('policies', `these policies crash the Cedar engine (${messageOf(error)}); make them simpler`),
    ];
  }
}
