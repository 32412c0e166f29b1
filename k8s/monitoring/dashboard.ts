import { type Panel, rows } from './panels.ts';

/** The columns of a dashboard. */
const WIDTH = 24;
const SIZE = { stat: { w: 4, h: 4 }, timeseries: { w: 12, h: 8 } } as const;
const datasource = { type: 'prometheus', uid: '$datasource' } as const;

/** The dashboard as Grafana imports it (schema version 39), as text. */
export const dashboardText = (): string => `${JSON.stringify(dashboard(), null, 2)}\n`;

function dashboard(): object {
  const panels: object[] = [];
  let y = 0;
  for (const { title, panels: own } of rows) {
    panels.push({
      id: panels.length + 1,
      type: 'row',
      title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y, w: WIDTH, h: 1 },
    });
    y++;
    let x = 0;
    let tallest = 0;
    for (const panel of own) {
      const { w, h } = SIZE[panel.kind];
      if (x + w > WIDTH) [x, y] = [0, y + tallest];
      panels.push({ id: panels.length + 1, ...drawn(panel), gridPos: { x, y, w, h } });
      x += w;
      tallest = h;
    }
    y += tallest;
  }
  return {
    title: 'cedar-ext-authz',
    uid: 'cedar-ext-authz',
    description: 'Decisions, time, policies, trust, state and audit of the sidecars. The alerts are in docs/alerts.md.',
    tags: ['authorization', 'envoy'],
    schemaVersion: 39,
    editable: true,
    graphTooltip: 1,
    refresh: '30s',
    time: { from: 'now-1h', to: 'now' },
    timezone: 'browser',
    templating: { list: [choice, job] },
    annotations: { list: [] },
    panels,
  };
}

const choice = { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus' };
const job = {
  name: 'job',
  type: 'query',
  datasource,
  query: 'label_values(authz_build_info, job)',
  refresh: 1,
  multi: true,
  includeAll: true,
  current: { selected: true, text: 'All', value: '$__all' },
};

function drawn({ title, description, kind, unit, queries, red }: Panel): object {
  const targets = queries.map(({ expr, legend }, at) => ({
    refId: String.fromCharCode(65 + at),
    datasource,
    expr,
    legendFormat: legend,
  }));
  const defaults = {
    unit,
    min: 0,
    thresholds: { mode: 'absolute', steps: steps(red) },
    ...(kind === 'stat' ? {} : { custom: { fillOpacity: 10, showPoints: 'never' } }),
  };
  const options =
    kind === 'stat'
      ? {
          colorMode: 'value',
          graphMode: 'area',
          justifyMode: 'auto',
          textMode: 'auto',
          wideLayout: true,
          showPercentChange: false,
          percentChangeColorMode: 'standard',
          orientation: 'auto',
          reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
        }
      : {
          legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
          tooltip: { mode: 'multi', sort: 'desc' },
        };
  return { type: kind, title, description, datasource, targets, fieldConfig: { defaults, overrides: [] }, options };
}

function steps(red: Panel['red']): readonly object[] {
  if (red === undefined) return [{ color: 'green', value: null }];
  if ('from' in red)
    return [
      { color: 'green', value: null },
      { color: 'red', value: red.from },
    ];
  return [
    { color: 'red', value: null },
    { color: 'green', value: red.below },
  ];
}
