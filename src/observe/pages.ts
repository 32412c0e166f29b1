import { messages } from './messages.ts';
import { metricRows } from './metrics-table.ts';
import type { MetricRow } from './tables/metric-row.ts';

const METRICS_HEAD = `# Metrics

\`GET /metrics\` on \`listen.status\`, in the Prometheus text format. Label values come from the code and from the
configuration, never from a request, so the number of series is bounded. Counters exist with 0 from the start; a gauge with
an unknown value is absent. Limits follow the metric that they limit. The default process metrics of prom-client
(\`process_*\`, \`nodejs_*\`) are included. The last column names the alerts that watch the metric; their thresholds are
[below](#thresholds), and [alerts.md](alerts.md) says what to do at each.

This page is generated from src/observe/metrics-table.ts and k8s/chart/monitoring; \`UPDATE=1 node --test src/observe/pages.test.ts\` writes it.
`;

const MESSAGES_HEAD = `# Messages of the log

One JSON object on a line of standard error: \`time\`, \`level\`, \`message\`, then the fields below. Decisions are not in the log but in
the [audit](audit.md). The lowest level that is written is \`log.level\`.

This page is generated from src/observe/messages.ts; \`UPDATE=1 node --test src/observe/pages.test.ts\` writes it.
`;

const THRESHOLDS_HEAD = `
## Thresholds

The alerts of [k8s/chart/monitoring](../k8s/chart/monitoring), each with the condition under which it fires, and how long that must last.
\`authz:…\` is recorded by rules of the same folder.
`;

/** An alert that watches metrics. */
export interface WatchingAlert {
  readonly name: string;
  readonly severity: string;
  /** How long the condition must last, such as `2m`. */
  readonly lasting: string;
  readonly condition: string;
  /** The metrics whose values it depends on, by what is recorded of them too. */
  readonly metrics: readonly string[];
}

/** docs/metrics.md: every metric with its labels and their values, its unit, what it means, what to do, and who watches it. */
export function metricsPage(alerts: readonly WatchingAlert[]): string {
  const link = (name: string) => `[${name}](alerts.md#${name.toLowerCase()})`;
  const watching = (metric: string) =>
    alerts
      .filter(({ metrics }) => metrics.includes(metric))
      .map(({ name }) => link(name))
      .join(', ');
  const rows = Object.entries<MetricRow>(metricRows).map(([name, { type, help, labels, unit, use }]) => [
    `\`${name}\``,
    type,
    Object.entries(labels)
      .map(([label, values]) => `\`${label}\`: ${values}`)
      .join('. ') || '–',
    unit,
    help,
    use,
    watching(name) || '–',
  ]);
  const head = ['metric', 'type', 'labels and their values', 'unit', 'what it means', 'what to do', 'alerts'];
  const thresholds = alerts.map(({ name, severity, lasting, condition }) => [
    link(name),
    severity,
    lasting,
    `\`${condition.replaceAll(/\s+/g, ' ')}\``,
  ]);
  return `${METRICS_HEAD}\n${table(head, rows)}${THRESHOLDS_HEAD}\n${table(['alert', 'severity', 'for', 'condition'], thresholds)}`;
}

/** docs/messages.md: every message of the log with its level, its fields and what to do. */
export function messagesPage(): string {
  const rows = Object.entries(messages).map(([text, { level, fields, use }]) => [
    `\`${text}\``,
    level,
    fields.map((field) => `\`${field}\``).join(', ') || '–',
    use,
  ]);
  return `${MESSAGES_HEAD}\n${table(['message', 'level', 'fields', 'what it means, and what to do'], rows)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [head, head.map(() => '---'), ...rows];
  return `${lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')}\n`;
}
