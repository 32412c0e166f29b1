import type { Report } from '../source/problem-at-path.ts';
import type { Api } from './model.ts';
import { contains, type Segment, type Template } from './template.ts';
import { TemplateTree } from './template-tree.ts';

/**
 * Reports what two apis that hold for one path say differently of it: a parameter name that means another segment in each;
 * and, where their templates cross (neither holds wherever the other does), an owner, scopes or the value of a label. No
 * rule of precedence is guessed: an api for exactly the paths that they share says what holds there. `apis` stand in the
 * order of their ranks; `reportOf` gives the place of each.
 */
export function reportCrossings(apis: readonly Api[], reportOf: (api: Api) => Report): void {
  const byShape = new Map(apis.map((api) => [shapeOf(api.template.segments), api]));
  const before = new TemplateTree<Api>();
  for (const api of apis) {
    for (const other of before.sharing(api.template)) {
      reportParameters(api, other, reportOf(api));
      if (contains(other.template, api.template) || contains(api.template, other.template)) continue;
      const shared = byShape.get(shapeOf(sharedSegments(api.template, other.template)));
      reportStatements(api, other, shared, reportOf(api));
    }
    before.add(api);
  }
}

function reportParameters(api: Api, other: Api, report: Report): void {
  const positions = positionsOf(other.template);
  for (const [name, position] of positionsOf(api.template)) {
    const there = positions.get(name);
    if (there === undefined || there === position) continue;
    const where = `'${other.template.text}' (${other.name}), which holds for the same paths`;
    report(['path'], `the parameter '${name}' is another segment in ${where}; rename one`);
  }
}

const positionsOf = ({ segments }: Template): ReadonlyMap<string, number> =>
  new Map(segments.flatMap((segment, index) => ('param' in segment ? [[segment.param, index] as const] : [])));

function reportStatements(api: Api, other: Api, shared: Api | undefined, report: Report): void {
  const apart = (key: string, what: string): void => {
    const example = `/${sharedSegments(api.template, other.template).map(spelled).join('/')}`;
    report([key], `'${other.template.text}' (${other.name}) ${what}; add an api for '${example}' that states ${key}`);
  };
  if (api.owner !== null && other.owner !== null && api.owner !== other.owner && (shared?.owner ?? null) === null) {
    apart('owner', `holds for some of its paths and has another owner`);
  }
  if (disjoint(api.scopes, other.scopes) && (shared?.scopes ?? null) === null) {
    apart('scopes', `holds for some of its paths, and no scope is enough for both`);
  }
  for (const [name, value] of api.labels) {
    const there = other.labels.get(name);
    if (there === undefined || there === value || shared?.labels.has(name)) continue;
    apart('labels', `holds for some of its paths and has another label '${name}'`);
  }
}

/** Whether each asks for a scope and they have none in common. */
function disjoint(some: readonly string[] | null, others: readonly string[] | null): boolean {
  if (some === null || others === null || some.length === 0 || others.length === 0) return false;
  return !some.some((scope) => others.includes(scope));
}

/** The template of exactly the paths that two templates share; they share some. */
function sharedSegments(a: Template, b: Template): readonly Segment[] {
  const [long, short] = a.segments.length < b.segments.length ? [b.segments, a.segments] : [a.segments, b.segments];
  return long.map((segment, index) => {
    const other = short[index];
    return 'param' in segment && other !== undefined && 'literal' in other ? other : segment;
  });
}

const spelled = (segment: Segment): string => ('literal' in segment ? segment.literal : `{${segment.param}}`);

/** The same for templates that hold for the same paths: the names of parameters do not count. */
const shapeOf = (segments: readonly Segment[]): string =>
  segments.map((segment) => ('literal' in segment ? segment.literal : '{}')).join('/');
