import type { Route } from './route.ts';
import { stateRoute } from './state.ts';

/** All routes of the control API but its own description. */
export const routes: readonly Route[] = [stateRoute];
