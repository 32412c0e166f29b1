import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { isConfig, loadConfig } from '../../src/config/load.ts';
import type { Config } from '../../src/config/schema.ts';
import { formatProblem } from '../../src/source/problem.ts';
import { goTool } from '../support/go-tool.ts';
import { type Finished, finish, run } from '../support/run.ts';

const k8s = join(import.meta.dirname, '..', '..', 'k8s');
export const chart = join(k8s, 'chart');
export const examples = join(k8s, 'examples');

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args?: readonly string[];
  readonly restartPolicy?: string;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
  readonly resources: { readonly limits: Readonly<Record<string, unknown>> };
  readonly lifecycle?: unknown;
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly env?: readonly { readonly name: string; readonly value?: string }[];
}

export interface Volume {
  readonly name: string;
  readonly [source: string]: unknown;
}

export interface PodSpec {
  readonly initContainers?: readonly Container[];
  readonly containers: readonly Container[];
  readonly automountServiceAccountToken?: boolean;
  readonly imagePullSecrets?: unknown;
  readonly securityContext?: Readonly<Record<string, unknown>>;
  readonly terminationGracePeriodSeconds?: number;
  readonly volumes: readonly Volume[];
  readonly [more: string]: unknown;
}

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly data?: Readonly<Record<string, string>>;
  readonly spec: { readonly template: { readonly metadata: Metadata; readonly spec: PodSpec } } & Readonly<
    Record<string, unknown>
  >;
}

/** The scenarios under k8s/examples, by their names without the ending. */
export const scenarios: readonly string[] = readdirSync(examples)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => file.slice(0, -'.yaml'.length))
  .toSorted();

export const valuesOf = (scenario: string): string => join(examples, `${scenario}.yaml`);

/** `helm template` for a cluster of the newest supported version, whatever its exit code. */
export async function template(scenario: string, more: readonly string[] = [], release = 'edge'): Promise<Finished> {
  // The chart has no image of its own to name.
  const image = 'image.repository=cedar-ext-authz';
  const fixed = ['template', release, chart, '-n', 'payments', '--kube-version', '1.36.0', '--set', image];
  return finish(await goTool('helm'), [...fixed, '-f', valuesOf(scenario), ...more]);
}

/** The objects of a scenario with some of its values replaced, not merged. */
export async function renderWith(
  scenario: string,
  replaced: Readonly<Record<string, unknown>>,
): Promise<readonly Manifest[]> {
  const values = { ...(parse(readFileSync(valuesOf(scenario), 'utf8')) as object), ...replaced };
  const args = ['template', 'edge', chart, '-n', 'payments', '--set', 'image.repository=cedar-ext-authz', '-f', '-'];
  return manifestsOf(await run(await goTool('helm'), args, { input: JSON.stringify(values) }));
}

/** The text that `helm template` gives, which has to succeed. */
export async function renderText(scenario: string, more: readonly string[] = [], release?: string): Promise<string> {
  const { code, stdout, stderr } = await template(scenario, more, release);
  if (code !== 0) throw new Error(`helm template of ${scenario} ended with ${code}\n${stderr}`);
  return stdout;
}

/** The objects of a scenario. */
export async function render(
  scenario: string,
  more: readonly string[] = [],
  release?: string,
): Promise<readonly Manifest[]> {
  return manifestsOf(await renderText(scenario, more, release));
}

/** The objects of a stream of YAML documents. */
export function manifestsOf(text: string): readonly Manifest[] {
  return parseAllDocuments(text)
    .map((document) => document.toJS() as Manifest | null)
    .filter((manifest) => manifest !== null);
}

/** The only object of a kind. */
export function kindOf(manifests: readonly Manifest[], kind: string): Manifest {
  const [found, ...more] = manifests.filter((manifest) => manifest.kind === kind);
  if (found === undefined || more.length > 0)
    throw new Error(`${more.length + 1} objects of the kind ${kind}, not one`);
  return found;
}

/** The configuration file of a release, as text. */
export function configTextOf(manifests: readonly Manifest[]): string {
  const text = manifests.find(({ data }) => data?.['config.yaml'] !== undefined)?.data?.['config.yaml'];
  if (text === undefined) throw new Error('no object holds config.yaml');
  return text;
}

/** The configuration that a release holds, as the sidecar reads it in a pod named edge-1. */
export function configOf(manifests: readonly Manifest[]): Config {
  const env = { POD_NAME: 'edge-1', AUTHZ_STATUS_PORT: '9192' };
  const config = loadConfig(configTextOf(manifests), 'config.yaml', env);
  if (!isConfig(config)) throw new Error(config.map(formatProblem).join('\n'));
  return config;
}

/** The patch that NOTES prints, which is itself text inside a ConfigMap. */
export function patchOf(manifests: readonly Manifest[]): Manifest['spec']['template'] {
  const text = manifests.find(({ data }) => data?.['patch.yaml'] !== undefined)?.data?.['patch.yaml'];
  return (parse(text ?? '') as Manifest).spec.template;
}

/** The pod of a release: that of its Deployment, or what the patch adds to one. */
export function podOf(manifests: readonly Manifest[]): PodSpec {
  return manifests.find(({ kind }) => kind === 'Deployment')?.spec.template.spec ?? patchOf(manifests).spec;
}

/** The container of the product in a pod. */
export function sidecarIn(pod: PodSpec): Container {
  const all = [...(pod.initContainers ?? []), ...pod.containers];
  const found = all.find(({ name }) => name === 'cedar-ext-authz');
  if (found === undefined) throw new Error('no container named cedar-ext-authz');
  return found;
}

export const sidecarOf = (manifests: readonly Manifest[]): Container => sidecarIn(podOf(manifests));

/** The text of a file of the chart. */
export const chartFile = (name: string): string => readFileSync(join(chart, name), 'utf8');
