import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { run } from '../image/run.ts';
import { readChangelog, stepFault } from './changelog.ts';

/** What a release is judged by. */
export interface ReleaseState {
  /** package.json. */
  readonly version: string;
  /** package-lock.json, twice. */
  readonly locked: readonly string[];
  readonly chart: { readonly version: string; readonly appVersion: string };
  readonly changelog: string;
  /** Files that differ from the commit. */
  readonly changed: readonly string[];
  /** Whether the tag of this version is at another commit. */
  readonly taggedElsewhere: boolean;
}

/** Reads it from a checkout. */
export function releaseState(repository: string): ReleaseState {
  const read = (file: string): string => readFileSync(join(repository, file), 'utf8');
  const git = (...args: readonly string[]): string => run('git', args, repository).trim();
  const { version } = JSON.parse(read('package.json')) as { readonly version: string };
  const lock = JSON.parse(read('package-lock.json')) as Lock;
  const tag = git('tag', '--list', tagOf(version));
  return {
    version,
    locked: [lock.version, lock.packages[''].version],
    chart: parse(read('k8s/chart/Chart.yaml')) as ReleaseState['chart'],
    changelog: read('CHANGELOG.md'),
    changed: git('status', '--porcelain').split('\n').filter(Boolean),
    taggedElsewhere: tag !== '' && git('rev-parse', `${tag}^{commit}`) !== git('rev-parse', 'HEAD'),
  };
}

interface Lock {
  readonly version: string;
  readonly packages: { readonly '': { readonly version: string } };
}

export const tagOf = (version: string): string => `v${version}`;

/** The versions that are not that of package.json: always a fault, whether something is released or not. */
export function versionFaults({ version, locked, chart }: ReleaseState): readonly string[] {
  const others = { 'package-lock.json': locked, 'k8s/chart/Chart.yaml': [chart.version, String(chart.appVersion)] };
  return Object.entries(others).flatMap(([file, versions]) =>
    versions.every((each) => each === version) ? [] : [`${file} has ${versions.join(' and ')}; write ${version}`],
  );
}

/** What has to be done before this version can be published; nothing: it can be. */
export function unready(state: ReleaseState): readonly string[] {
  const { version, changed, taggedElsewhere } = state;
  return [
    ...versionFaults(state),
    ...changelogFaults(state),
    ...(changed.length > 0 ? [`${changed.length} files differ from the commit; commit them`] : []),
    ...(taggedElsewhere ? [`${tagOf(version)} is the tag of another commit; raise the version`] : []),
  ];
}

function changelogFaults({ version, changelog }: ReleaseState): readonly string[] {
  const sections = readChangelog(changelog);
  if ('fault' in sections) return [sections.fault];
  const open = sections.find((each) => each.version === null);
  const [newest, last] = sections.filter((each) => each.version !== null);
  if (newest?.version !== version) return [`CHANGELOG.md has no section ## ${version} - DATE on top; write it`];
  const left =
    open !== undefined && open.text !== '' ? [`CHANGELOG.md has unreleased changes; move them to ${version}`] : [];
  const empty = newest.text === '' ? [`CHANGELOG.md says nothing of ${version}`] : [];
  const step = last?.version == null ? null : stepFault(last.version, version, newest.breaking);
  return [...left, ...empty, ...(step === null ? [] : [step])];
}
