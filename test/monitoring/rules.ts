import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import type { WatchingAlert } from '../../src/observe/pages.ts';
import { repository } from '../docs/markdown.ts';
import { type AlertCase, type AlertCases, SIDECAR } from './alert-case.ts';
import { misuseCases } from './misuse-cases.ts';
import { protectionCases } from './protection-cases.ts';
import { serviceCases } from './service-cases.ts';
import { stateCases } from './state-cases.ts';

export const monitoring = join(repository, 'k8s', 'chart', 'monitoring');

interface Group {
  readonly name: string;
  readonly rules: readonly (Alert | Recording)[];
}

/** A rule that alerts, as it is written. */
export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for: string;
  readonly labels: { readonly severity: string };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    /** From the root of the repository. */
    readonly runbook_url: string;
  };
}

/** A rule whose answers are stored under a name of their own. */
export interface Recording {
  readonly record: string;
  readonly expr: string;
}

/** The files of rules that are shipped. */
export const ruleFiles: readonly string[] = globSync('*.yaml', { cwd: monitoring })
  .toSorted()
  .map((name) => join(monitoring, name));

/** Every group of rules that is shipped. */
export const groups: readonly Group[] = ruleFiles.flatMap(
  (file) => (parse(readFileSync(file, 'utf8')) as { groups: readonly Group[] }).groups,
);
const rules = groups.flatMap((group) => group.rules);
export const alerts: readonly Alert[] = rules.filter((rule) => 'alert' in rule);
export const recordings: readonly Recording[] = rules.filter((rule) => 'record' in rule);

/** By the name of the alert, the situations in which it fires and does not. */
export const alertCases: AlertCases = { ...misuseCases, ...protectionCases, ...stateCases, ...serviceCases };

/** The situations of one alert. */
export const casesOf = (name: string): readonly AlertCase[] => [alertCases[name] ?? []].flat();

/** The names of metrics in a query: words that nothing calls, outside of selectors, ranges and lists of labels. */
export function metricsIn(query: string): readonly string[] {
  const bare = query
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}|\[[^\]]*\]/g, '')
    .replaceAll(/\b(?:by|on|without|ignoring|group_left|group_right) *\([^)]*\)/g, '');
  const words = [...bare.matchAll(/([a-zA-Z_:][\w:]*)( *\()?/g)].filter(([, , call]) => call === undefined);
  return [...new Set(words.map(([, word = '']) => word).filter((word) => /[_:]|^up$/.test(word)))];
}

/** The series of a situation as promtool reads them, each with the labels of its scrape. */
export function inputSeries(series: Readonly<Record<string, string>>) {
  return Object.entries(series).map(([name, values]) => {
    const [, metric = '', labels = ''] = /^([^{]+)(?:\{(.*)\})?$/.exec(name) ?? [];
    const own = Object.entries(SIDECAR).flatMap(([label, value]) =>
      labels.includes(`${label}="`) ? [] : [`${label}="${value}"`],
    );
    return { series: `${metric}{${[...own, ...(labels === '' ? [] : [labels])].join(',')}}`, values };
  });
}

/** Each alert with the metrics that it depends on, also by what is recorded of them. */
export const watchingAlerts = (): readonly WatchingAlert[] =>
  alerts.map(({ alert, expr, for: lasting, labels: { severity } }) => ({
    name: alert,
    severity,
    lasting,
    condition: expr,
    metrics: exportedIn(expr),
  }));

/** The metrics of a query, those among them that rules recorded resolved, without what a histogram appends. */
export function exportedIn(query: string): readonly string[] {
  const found = metricsIn(query).flatMap((name) => {
    const recorded = recordings.find(({ record }) => record === name);
    return recorded === undefined ? [name.replace(/_(bucket|count|sum)$/, '')] : exportedIn(recorded.expr);
  });
  return [...new Set(found)];
}
