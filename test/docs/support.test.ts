import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { page, repository, section } from './markdown.ts';

const read = (file: string): string => readFileSync(join(repository, file), 'utf8');
const rows = new Map(
  [...section(page('docs/upgrading.md').text, 'What it runs with').matchAll(/^\| (\w+) \| ([^|]+) \|/gm)].map(
    ([, what = '', versions = '']) => [what, versions.trim()],
  ),
);

/** The version of a Go module that a tool is built from. */
const pinned = (tool: string, module: string): string => {
  const [, version = ''] =
    new RegExp(`^\\t${RegExp.escape(module)} v(\\S+)`, 'm').exec(read(`test/tools/${tool}/go.mod`)) ?? [];
  return version;
};

test('docs/upgrading.md names the versions that are run', () => {
  const kubernetes = pinned('kubernetes', 'k8s.io/kubernetes');
  const { kubeVersion } = parse(read('k8s/chart/Chart.yaml')) as { readonly kubeVersion: string };
  const [, least] = /^>=(\d+\.\d+)\.0-0$/.exec(kubeVersion) ?? [];
  assert.equal(rows.get('Kubernetes'), `${least} to ${kubernetes.split('.').slice(0, 2).join('.')}`);
  assert.ok(page('docs/upgrading.md').text.includes(`a real API server ${kubernetes} `));
  assert.equal(rows.get('Helm'), pinned('helm', 'helm.sh/helm/v4'));
  assert.equal(rows.get('SPIRE'), pinned('spire', 'github.com/spiffe/spire'));
  const { engines } = JSON.parse(read('package.json')) as { readonly engines: { readonly node: string } };
  assert.equal(rows.get('Node'), `${engines.node.replace('>=', '')} and newer`);
  assert.ok(page('docs/state.md').text.includes(`the tests run with Redis ${rows.get('Redis')}.`));
});
