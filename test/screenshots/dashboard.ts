import type { BrowserContext } from 'playwright-core';
import { type Panel, rows } from '../../k8s/monitoring/panels.ts';
import { JOB, startWatched } from '../monitoring/watched.ts';
import type { Series } from '../support/prometheus.ts';

/** Of the demo's traffic, in seconds. */
const LENGTH_S = 120;
const WIDTH = 580;
const HEIGHT = 150;
const LEFT = 62;
const colours = ['#3f7fd1', '#d9822b', '#4a9d5b', '#c0504d', '#8a63b8', '#3aa3a0', '#a08a2c', '#b8578f'];

/** One line of a panel: how it is called, and its points. */
interface Line {
  readonly name: string;
  readonly points: readonly (readonly [seconds: number, value: number])[];
}
type Drawn = readonly (readonly [panel: Panel, lines: readonly Line[]])[];

/** The dashboard as a page: each panel drawn of what a real Prometheus answers to its queries over two minutes of the demo. */
export async function drawnDashboard(): Promise<string> {
  const watched = await startWatched();
  try {
    const from = Date.now() / 1000;
    while (Date.now() / 1000 < from + LENGTH_S) await watched.traffic();
    const to = Date.now() / 1000;
    const sections: string[] = [];
    for (const { title, panels } of rows) {
      const drawn: Drawn = await Promise.all(
        panels.map(async (panel) => [panel, await linesOf(panel, watched.prometheus, from + 10, to)] as const),
      );
      sections.push(
        `<h2>${escaped(title)}</h2><div class=row>${drawn.map(([panel, lines]) => boxOf(panel, lines)).join('')}</div>`,
      );
    }
    return PAGE.replace('BODY', () => sections.join(''));
  } finally {
    await watched.stop();
  }
}

/** Takes the picture of a page of `drawnDashboard`. */
export async function takeDashboard(context: BrowserContext, page: string, path: string): Promise<void> {
  const view = await context.newPage();
  await view.setContent(page);
  await view.screenshot({ path, fullPage: true });
}

type Asked = Pick<Awaited<ReturnType<typeof startWatched>>['prometheus'], 'range'>;

async function linesOf({ queries }: Panel, prometheus: Asked, from: number, to: number): Promise<readonly Line[]> {
  const answers = await Promise.all(
    queries.map(async ({ expr, legend }) =>
      (await prometheus.range(expr.replaceAll('$job', JOB), from, to, 2)).map((one) => lineOf(legend, one)),
    ),
  );
  return answers.flat();
}

const lineOf = (legend: string, { metric, values = [] }: Series): Line => ({
  name: legend.replace(/\{\{(\w+)\}\}/g, (_, label: string) => metric[label] ?? ''),
  points: values
    .map(([at, value]): [number, number] => [at, Number(value)])
    .filter(([, value]) => !Number.isNaN(value)),
});

function boxOf({ title, description, kind, unit, red }: Panel, lines: readonly Line[]): string {
  if (kind === 'stat') {
    const last = lines[0]?.points.at(-1)?.[1];
    const isRed = last !== undefined && red !== undefined && ('from' in red ? last >= red.from : last < red.below);
    const text = last === undefined ? 'no data' : written(last, unit);
    return `<div class=stat><h3>${escaped(title)}</h3><p class="${isRed ? 'red' : 'green'}">${text}</p></div>`;
  }
  const legend = lines
    .map(
      ({ name }, at) =>
        `<span><i style="background:${colours[at % colours.length]}"></i>${escaped(name.slice(0, 60))}</span>`,
    )
    .join('');
  const chart = lines.length === 0 ? '<p class=none>no data: nothing of it happened</p>' : chartOf(lines, unit);
  return `<div class=panel><h3>${escaped(title)} <small>${escaped(description)}</small></h3>${chart}<div class=legend>${legend}</div></div>`;
}

function chartOf(lines: readonly Line[], unit: Panel['unit']): string {
  const all = lines.flatMap(({ points }) => points);
  const [from, to] = [Math.min(...all.map(([at]) => at)), Math.max(...all.map(([at]) => at))];
  const top = Math.max(...all.map(([, value]) => value)) * 1.1 || 1;
  const x = (at: number): number => LEFT + ((at - from) / (to - from || 1)) * (WIDTH - LEFT - 8);
  const y = (value: number): number => HEIGHT - 12 - (value / top) * (HEIGHT - 24);
  const grid = [0, 0.5, 1].map((share) => {
    const at = y(top * share).toFixed(1);
    return `<line x1=${LEFT} x2=${WIDTH - 8} y1=${at} y2=${at} /><text x=${LEFT - 6} y=${Number(at) + 4}>${written(top * share, unit)}</text>`;
  });
  const drawn = lines.map(({ points }, at) => {
    const path = points.map(([seconds, value]) => `${x(seconds).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    return `<polyline points="${path}" stroke="${colours[at % colours.length]}" />`;
  });
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}">${grid.join('')}${drawn.join('')}</svg>`;
}

function written(value: number, unit: Panel['unit']): string {
  switch (unit) {
    case 'percentunit':
      return `${(value * 100).toFixed(value < 0.1 ? 1 : 0)} %`;
    case 's':
      return value < 1 ? `${(value * 1000).toFixed(1)} ms` : `${value.toFixed(1)} s`;
    case 'bytes':
      return `${(value / 2 ** 20).toFixed(0)} MiB`;
    case 'ops':
      return `${value.toFixed(value < 10 ? 1 : 0)}/s`;
    case 'short':
      return String(Number(value.toFixed(value < 10 ? 2 : 0)));
  }
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);

const PAGE = `<!doctype html><meta charset=utf-8><style>
:root { color-scheme: light dark; --ground: #f4f5f7; --box: #fff; --text: #1f2430; --dim: #667085; --grid: #e3e6eb; --green: #2d7d46; --red: #b42318 }
@media (prefers-color-scheme: dark) { :root { --ground: #111217; --box: #181b1f; --text: #d8dbe2; --dim: #8b93a3; --grid: #2b2f37; --green: #6ccf8e; --red: #ff7b72 } }
body { margin: 0; padding: 16px; width: 1248px; background: var(--ground); color: var(--text); font: 13px system-ui, sans-serif }
h2 { font-size: 14px; margin: 16px 0 8px } h3 { font-size: 13px; margin: 0 0 6px } small { font-weight: 400; color: var(--dim); margin-left: 6px }
.row { display: flex; flex-wrap: wrap; gap: 8px } .stat, .panel { background: var(--box); border: 1px solid var(--grid); border-radius: 3px; padding: 8px 10px; box-sizing: border-box }
.stat { width: 201px } .stat p { font-size: 28px; margin: 4px 0 } .panel { width: 620px } .green { color: var(--green) } .red { color: var(--red) }
svg { width: 100% } svg line { stroke: var(--grid) } svg text { fill: var(--dim); font-size: 10px; text-anchor: end } polyline { fill: none; stroke-width: 1.5 }
.legend { color: var(--dim) } .legend span { margin-right: 12px } .legend i { display: inline-block; width: 10px; height: 3px; margin: 0 5px 3px 0 } .none { color: var(--dim); height: 60px }
</style><body>BODY`;
