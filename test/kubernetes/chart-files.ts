import { join } from 'node:path';
import { isMap, isScalar, type Node, parseDocument, stringify, type YAMLMap } from 'yaml';
import { run } from '../support/run.ts';
import { chart, chartFile, configTextOf, patchOf, render } from './chart.ts';

const k8s = join(chart, '..');
const biome = join(k8s, '..', 'node_modules', '.bin', 'biome');

/** What is generated under k8s/: the text of each file, by its path. */
export async function chartFiles(): Promise<ReadonlyMap<string, string>> {
  const values = describe();
  return new Map([
    [join(chart, 'README.md'), readme(values)],
    [join(chart, 'values.schema.json'), await schemaWith(values)],
    [join(k8s, 'manifests', 'central.yaml'), await withoutHelm('central-spire')],
    [join(k8s, 'manifests', 'sidecar-injected.yaml'), await withoutHelm('sidecar-injected-spire')],
    ...(await component()),
  ]);
}

/** One value of the chart. */
interface Value {
  readonly path: readonly string[];
  readonly default: string;
  /** Empty for a group of values. */
  readonly text: string;
}

/** The values of values.yaml, in order, each with the comment above it that begins with `--`. */
function describe(): readonly Value[] {
  const { contents } = parseDocument(chartFile('values.yaml'));
  return isMap(contents) ? below(contents as YAMLMap, []) : [];
}

function below(map: YAMLMap, path: readonly string[]): readonly Value[] {
  return map.items.flatMap((pair, at) => {
    const key = pair.key as Node & { value: string };
    const value = pair.value as Node;
    // The comment of a map's first key is kept at the map.
    const comment = key.commentBefore ?? (at === 0 ? map.commentBefore : null) ?? '';
    const own = [...path, key.value];
    const [, text = ''] = /^ -- ([\s\S]*)$/m.exec(comment) ?? [];
    if (text === '' && isMap(value) && value.items.length > 0) return below(value as YAMLMap, own);
    const shown = isScalar(value) ? JSON.stringify(value.value) : JSON.stringify(value.toJSON());
    return [{ path: own, default: shown, text: text.replaceAll('\n', ' ').replaceAll(/ +/g, ' ') }];
  });
}

/** Values without a description: there are none. */
export function undescribed(): readonly string[] {
  return describe()
    .filter(({ text }) => text === '')
    .map(({ path }) => path.join('.'));
}

function readme(values: readonly Value[]): string {
  const rows = values.map(({ path, default: value, text }) => {
    return `| \`${path.join('.')}\` | \`${value.replaceAll('|', '\\|')}\` | ${text.replaceAll('|', '\\|')} |`;
  });
  const lines = [
    '# The chart',
    '',
    'cedar-ext-authz beside each Envoy of a namespace, or as a Deployment of its own. [docs/kubernetes.md](../../docs/kubernetes.md) leads',
    'from an empty cluster to a denial; [k8s/examples](../examples) has values for each scenario. Unknown values are refused.',
    '',
    'This file is generated from values.yaml; `npm run check:kubernetes` compares it, and with `UPDATE=1` writes it.',
    '',
    '| value | default | meaning |',
    '| --- | --- | --- |',
    ...rows,
  ];
  return `${lines.join('\n')}\n`;
}

interface Schema {
  readonly properties?: Record<string, Schema>;
  description?: string;
}

/** The schema with the descriptions of values.yaml. */
async function schemaWith(values: readonly Value[]): Promise<string> {
  const schema = JSON.parse(chartFile('values.schema.json')) as Schema;
  for (const { path, text } of values) {
    let at: Schema | undefined = schema;
    for (const key of path) at = at?.properties?.[key];
    if (at === undefined) throw new Error(`values.schema.json does not know ${path.join('.')}`);
    at.description = text.replaceAll('`', '');
  }
  return run(biome, ['format', '--stdin-file-path=values.schema.json'], { input: JSON.stringify(schema, null, 2) });
}

const NOTE = `# The chart, rendered with k8s/examples/NAME.yaml as the release authz in the namespace payments. For a cluster without Helm: set the
# image (cedar-ext-authz:…) and the configuration, then \`kubectl apply -f\`. Generated: \`UPDATE=1 npm run check:kubernetes\`.
`;

async function withoutHelm(scenario: string): Promise<string> {
  const objects = (await render(scenario, ['--skip-tests'], 'authz')).map((manifest) => {
    const { 'helm.sh/chart': _, 'app.kubernetes.io/managed-by': __, ...labels } = manifest.metadata.labels ?? {};
    return stringify({ ...manifest, metadata: { ...manifest.metadata, labels } }, { lineWidth: 0 });
  });
  const text = objects.filter((object) => !object.includes('patch.yaml: |')).join('---\n');
  return (
    NOTE.replace('NAME', scenario) +
    text.replaceAll(/^ +helm\.sh\/chart: .*\n|^ +app\.kubernetes\.io\/managed-by: .*\n/gm, '')
  );
}

/** Both files of the Kustomize component: the configuration and the patch. */
async function component(): Promise<readonly (readonly [string, string])[]> {
  const manifests = await render('sidecar-files', [], 'authz');
  const folder = join(k8s, 'kustomize', 'sidecar');
  const { metadata, spec } = patchOf(manifests);
  const patch = {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'any' },
    // The name of the ConfigMap follows its content, so no checksum is needed.
    spec: { template: { metadata: { labels: metadata.labels }, spec } },
  };
  return [
    [join(folder, 'config.yaml'), configTextOf(manifests)],
    [
      join(folder, 'patch.yaml'),
      `# Generated from the chart: \`UPDATE=1 npm run check:kubernetes\`.\n${stringify(patch, { lineWidth: 0 })}`,
    ],
  ];
}
