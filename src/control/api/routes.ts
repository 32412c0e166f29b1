import type { Route } from '../http/route.ts';
import { keysRoute, tokenRoute } from '../token-service/token.ts';
import { breakGlassRoute, reviewRoute } from './approvals/break-glass.ts';
import { grantRoute, refuseRoute, withdrawRoute } from './approvals/decide.ts';
import { approvalRoute, approvalsRoute } from './approvals/read.ts';
import { decisionsRoute } from './decisions.ts';
import { eventsRoute } from './events.ts';
import { explainRoute } from './explain.ts';
import { openApiRoute } from './openapi.ts';
import { revocationRoute, revocationsRoute } from './revocations.ts';
import { liftRoute, revokeRoute } from './revoking.ts';
import { stateRoute } from './state.ts';
import { endRoute, heartbeatRoute, taskRoute } from './tasks/change.ts';
import { tasksRoute } from './tasks/list.ts';
import { startRoute } from './tasks/start.ts';
import { baselineRoute, teachRoute } from './workload-baseline.ts';
import { workloadBehaviourRoute } from './workload-behaviour.ts';
import { workloadsRoute } from './workloads.ts';

const described: readonly Route[] = [
  stateRoute,
  revocationsRoute,
  revokeRoute,
  revocationRoute,
  liftRoute,
  tasksRoute,
  startRoute,
  taskRoute,
  heartbeatRoute,
  endRoute,
  approvalsRoute,
  approvalRoute,
  grantRoute,
  refuseRoute,
  withdrawRoute,
  breakGlassRoute,
  reviewRoute,
  decisionsRoute,
  eventsRoute,
  workloadsRoute,
  workloadBehaviourRoute,
  baselineRoute,
  teachRoute,
  explainRoute,
  tokenRoute,
  keysRoute,
];

/** All that can be asked, in the order of the OpenAPI document. */
export const routes: readonly Route[] = [...described, openApiRoute(described)];
