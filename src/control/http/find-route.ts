import { ApiProblem } from './problem.ts';
import type { Route } from './route.ts';

/** A route with the parameters of its path. */
export interface Found {
  readonly route: Route;
  readonly parameters: Readonly<Record<string, string>>;
}

/** The route of a request; HEAD is asked as GET is. */
export function findRoute(routes: readonly Route[], method: string, segments: readonly string[]): Found | ApiProblem {
  const here = routes.flatMap((route): Found[] => {
    const parameters = match(route.path, segments);
    return parameters === null ? [] : [{ route, parameters }];
  });
  const asked = method === 'HEAD' ? 'GET' : method;
  const found = here.find(({ route }) => route.method === asked);
  if (found !== undefined) return found;
  if (here.length === 0) return ApiProblem.of('not_found', 'the paths are those of /openapi.json');
  const allow = here.map(({ route }) => (route.method === 'GET' ? 'GET, HEAD' : route.method)).join(', ');
  return ApiProblem.of('method_not_allowed', `it has ${allow}`, { headers: [['allow', allow]] });
}

function match(path: string, segments: readonly string[]): Record<string, string> | null {
  const wanted = path.slice(1).split('/');
  if (wanted.length !== segments.length) return null;
  const parameters: [string, string][] = [];
  for (const [at, want] of wanted.entries()) {
    const name = /^\{(\w+)\}$/.exec(want)?.[1];
    const segment = segments[at] ?? '';
    if (name !== undefined && segment !== '') parameters.push([name, segment]);
    else if (want !== segment) return null;
  }
  return Object.fromEntries(parameters);
}
