import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Container, PodSpec, Volume } from './chart.ts';

type Data = Readonly<Record<string, string>>;
/** The data of ConfigMaps and Secrets by their names, as text. */
export type Objects = ReadonlyMap<string, Data>;

interface Source {
  readonly name?: string;
  readonly secretName?: string;
  readonly items?: readonly { readonly key: string; readonly path: string }[];
}

/**
 * Puts what a container mounts below `root`, as the kubelet does: files of ConfigMaps and Secrets behind the link `..data`, each
 * where `items` says. A volume of any other kind is a folder that holds a copy of `folders[NAME]`, or nothing.
 */
export function mountFiles(
  root: string,
  pod: PodSpec,
  container: Container,
  objects: Objects,
  folders: Readonly<Record<string, string>> = {},
): void {
  for (const { name, mountPath } of container.volumeMounts) {
    const volume = pod.volumes.find((one) => one.name === name);
    if (volume === undefined) throw new Error(`the pod has no volume ${name}`);
    const target = join(root, mountPath);
    mkdirSync(target, { recursive: true });
    const files = filesOf(volume, objects);
    if (files !== null) writeLinked(target, files);
    else if (folders[name] !== undefined) cpSync(folders[name], target, { recursive: true });
  }
}

/** The files of a volume by their paths; null where it holds none of the cluster's objects. */
function filesOf(volume: Volume, objects: Objects): ReadonlyMap<string, string> | null {
  const sources = sourcesOf(volume);
  if (sources.length === 0) return null;
  return new Map(sources.flatMap((source) => projected(source, objects)));
}

function sourcesOf({ configMap, secret, projected }: Volume): readonly Source[] {
  if (configMap !== undefined) return [configMap as Source];
  if (secret !== undefined) return [secret as Source];
  const { sources = [] } = (projected ?? {}) as { sources?: readonly { configMap?: Source; secret?: Source }[] };
  return sources.flatMap((source) => source.configMap ?? source.secret ?? []);
}

function projected({ name, secretName, items }: Source, objects: Objects): readonly (readonly [string, string])[] {
  const wanted = name ?? secretName ?? '';
  const data = objects.get(wanted);
  if (data === undefined) throw new Error(`there is no ConfigMap or Secret ${wanted}`);
  const all = items ?? Object.keys(data).map((key) => ({ key, path: key }));
  return all.map(({ key, path }) => {
    if (data[key] === undefined) throw new Error(`${wanted} has no key ${key}`);
    return [path, data[key]] as const;
  });
}

function writeLinked(target: string, files: ReadonlyMap<string, string>): void {
  for (const [path, text] of files) {
    const file = join(target, '..first', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
  symlinkSync('..first', join(target, '..data'));
  for (const name of new Set([...files.keys()].map((path) => path.split('/')[0] ?? ''))) {
    symlinkSync(join('..data', name), join(target, name));
  }
}

const PLACES = ['/etc/cedar-ext-authz', '/run/cedar-ext-authz', '/var/log/cedar-ext-authz', '/spiffe-workload-api'];

/** A configuration with the paths of a container below `root`. */
export function below(root: string, text: string): string {
  return PLACES.reduce((rest, place) => rest.replaceAll(place, join(root, place)), text);
}
