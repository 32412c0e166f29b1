import type { Route } from '../http/route.ts';
import { decisionsRoute } from './decisions.ts';
import { explainRoute } from './explain.ts';
import { openApiRoute } from './openapi.ts';
import { revocationRoute, revocationsRoute } from './revocations.ts';
import { liftRoute, revokeRoute } from './revoking.ts';
import { stateRoute } from './state.ts';
import { workloadsRoute } from './workloads.ts';

const described: readonly Route[] = [
  stateRoute,
  revocationsRoute,
  revokeRoute,
  revocationRoute,
  liftRoute,
  decisionsRoute,
  workloadsRoute,
  explainRoute,
];

/** All that can be asked, in the order of the OpenAPI document. */
export const routes: readonly Route[] = [...described, openApiRoute(described)];
