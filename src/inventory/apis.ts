import type { Report } from '../source/problem-at-path.ts';
import { reportCrossings } from './crossing.ts';
import { lowerPath } from './lenient-path.ts';
import { loosensScopes, scopesAround, silentlyLowered } from './loosening.ts';
import { type Api, type Sensitivity, writeActions } from './model.ts';
import { type ApiEntry, sensitivities } from './schema.ts';
import { contains, parseTemplate, type Template } from './template.ts';
import { TemplateTree } from './template-tree.ts';

export function rank(name: (typeof sensitivities)[number]): Sensitivity {
  return sensitivities.indexOf(name) as Sensitivity;
}

/** The highest of them, 0 (public) where there are none. */
export function highestSensitivity(values: readonly Sensitivity[]): Sensitivity {
  return Math.max(0, ...values) as Sensitivity;
}

/**
 * Reads the apis of one host, outer ones first, and reports what contradicts: a bad template, two that tie, a name used
 * twice, whatever an api lowers of what is around it without `loosens: true`, and what crossing templates disagree about.
 */
export function compileApis(
  host: string,
  base: Sensitivity,
  entries: readonly ApiEntry[],
  caseInsensitive: boolean,
  report: Report,
  scopes: readonly string[] = [],
): Api[] {
  const names = new Set<string>();
  const read: { index: number; entry: ApiEntry; template: Template }[] = [];
  const templates = new TemplateTree<(typeof read)[number]>();
  for (const [index, entry] of entries.entries()) {
    if (names.has(entry.name))
      report([index, 'name'], `another api of this host is called '${entry.name}'; rename one`);
    names.add(entry.name);
    const parsed = parseTemplate(entry.path);
    const template = typeof parsed === 'string' || !caseInsensitive ? parsed : (casedFault(parsed) ?? parsed);
    if (typeof template === 'string') {
      report([index, 'path'], template);
      continue;
    }
    const other = templates.tied(template);
    if (other !== null) {
      const both = `neither this nor '${other.template.text}' (${other.entry.name})`;
      report([index, 'path'], `${both} is the more specific where both hold; change one`);
    }
    const api = { index, entry, template };
    templates.add(api);
    read.push(api);
  }
  // Whatever contains a template is shorter or has fewer literals, so it is compiled before it.
  read.sort((a, b) => a.template.rank - b.template.rank);
  const apis: Api[] = [];
  const indexes = new Map<Api, number>();
  const compiled = new TemplateTree<Api>();
  for (const { index, entry, template } of read) {
    const around = innermost(compiled.around(template));
    const at: Report = (path, message) => report([index, ...path], message);
    const api = compileApi(host, { base, scopes }, entry, template, around, at);
    compiled.add(api);
    apis.push(api);
    indexes.set(api, index);
  }
  reportCrossings(apis, (api) => (path, message) => report([indexes.get(api) ?? 0, ...path], message));
  return apis;
}

/** Those that contain none of the others. `apis` stand in the order of their ranks, so what is contained comes later. */
export function innermost(apis: readonly Api[]): readonly Api[] {
  const found: Api[] = [];
  for (const api of apis.toReversed()) {
    if (!found.some((inner) => contains(api.template, inner.template))) found.push(api);
  }
  return found;
}

/** Why a template never holds on a host whose paths are compared in lower case; null when it may. */
function casedFault({ segments }: Template): string | null {
  for (const segment of segments) {
    if ('param' in segment) continue;
    const lower = lowerPath(segment.literal);
    if (lower === null)
      return `servers fold '${segment.literal}' differently, and no such path is served; use ASCII letters`;
    if (lower !== segment.literal)
      return 'the host is caseInsensitive and paths are compared in lower case; write this one so';
  }
  return null;
}

function compileApi(
  host: string,
  { base, scopes }: { readonly base: Sensitivity; readonly scopes: readonly string[] },
  entry: ApiEntry,
  template: Template,
  around: readonly Api[],
  report: Report,
): Api {
  const outer = around.length === 0 ? base : highestSensitivity(around.map((api) => api.sensitivity));
  const stated = entry.sensitivity === undefined ? outer : rank(entry.sensitivity);
  const loosens = entry.loosens === true;
  const outerWrites = around.some((api) => api.writes);
  const lowersEffect = outerWrites && entry.effect === 'read';
  const outerScopes = scopesAround(around, scopes);
  const loosened = loosensScopes(entry.scopes, outerScopes);
  if (loosens && stated >= outer && !lowersEffect && !loosened)
    report(['loosens'], "nothing is loosened here; remove 'loosens'");
  const unless = "add 'loosens: true' if";
  if (!loosens && stated < outer)
    report(['sensitivity'], `what is around it is ${sensitivities[outer]}; raise it, or ${unless} that is meant`);
  if (!loosens && lowersEffect)
    report(['effect'], `what is around it says 'effect: write'; ${unless} reading is meant`);
  if (!loosens && loosened)
    report(['scopes'], `what is around it asks for ${outerScopes.join(', ')}; ${unless} more tokens are meant`);
  for (const message of silentlyLowered(entry, around)) report(['name'], message);
  const writing = new Set<string>(writeActions).difference(new Set(['POST']));
  for (const method of entry.effect === 'read' ? (entry.methods ?? []) : [])
    if (writing.has(method))
      report(['effect'], `a ${method} never only reads; give it an api of its own, or remove 'effect: read'`);
  return {
    id: `${host}/${entry.name}`,
    name: entry.name,
    template,
    sensitivity: stated,
    writes: lowersEffect ? false : outerWrites || entry.effect === 'write',
    readsByPost: entry.effect === 'read',
    methods: entry.methods === undefined ? null : new Set(entry.methods),
    scopes: entry.scopes === undefined ? null : Object.freeze([...new Set(entry.scopes)].toSorted()),
    owner: entry.owner ?? null,
    labels: new Map(Object.entries(entry.labels ?? {})),
    asks: entry.scopes ?? outerScopes,
    lowered: { sensitivity: stated < outer, effect: lowersEffect, scopes: loosened },
  };
}
