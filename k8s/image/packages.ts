import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { run } from './run.ts';

/** A Debian package of one version. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  /** The archive that holds it, and its path there. */
  readonly archive: 'debian' | 'debian-security';
  readonly path: string;
  readonly sha256: string;
}

/** What the image is made of beside this package: the content of packages.json. */
export interface Packages {
  readonly debian: {
    readonly suite: string;
    readonly architecture: string;
    /** When the versions were current: snapshot.debian.org keeps them under this time. */
    readonly snapshot: string;
    readonly packages: readonly DebianPackage[];
  };
  readonly node: { readonly name: string; readonly version: string; readonly integrity: string };
}

export const packagesFile = join(import.meta.dirname, 'packages.json');
export const readPackages = (): Packages => JSON.parse(readFileSync(packagesFile, 'utf8')) as Packages;

/** No download takes longer, in milliseconds. */
const FETCH_LIMIT_MS = 120_000;
const digest = (algorithm: 'sha256' | 'sha512', encoding: 'hex' | 'base64', content: Buffer): string =>
  createHash(algorithm).update(content).digest(encoding);

/**
 * The file of a Debian package in `cache`, from the first source that has it: this machine's apt, the archive, the snapshot.
 * Its hash decides what is taken, not where it came from.
 */
export async function debianPackage(one: DebianPackage, snapshot: string, cache: string): Promise<string> {
  const file = join(cache, `${one.name}_${one.sha256}.deb`);
  const right = (content: Buffer): boolean => digest('sha256', 'hex', content) === one.sha256;
  if (existsSync(file) && right(readFileSync(file))) return file;
  const urls = [
    `https://deb.debian.org/${one.archive}/${one.path}`,
    `https://snapshot.debian.org/archive/${one.archive}/${snapshot}/${one.path}`,
  ];
  const failures: string[] = [];
  const sources = [() => byApt(one, cache), ...urls.map((url) => () => byUrl(url))];
  for (const source of sources) {
    try {
      const content = await source();
      if (!right(content)) throw new Error('it has another hash');
      writeFileSync(`${file}.part`, content);
      renameSync(`${file}.part`, file);
      return file;
    } catch (error) {
      failures.push(String(error));
    }
  }
  throw new Error(`${one.name} ${one.version} is nowhere to be had:\n${failures.join('\n')}`);
}

/** The tarball of Node from npm, in `cache`. */
export function nodePackage({ name, version, integrity }: Packages['node'], cache: string): string {
  const file = join(cache, `${name}-${version}.tgz`);
  const right = (): boolean => `sha512-${digest('sha512', 'base64', readFileSync(file))}` === integrity;
  if (existsSync(file) && right()) return file;
  mkdirSync(cache, { recursive: true });
  run('npm', ['pack', `${name}@${version}`, '--silent', '--pack-destination', cache]);
  if (right()) return file;
  rmSync(file);
  throw new Error(`${name} ${version} from npm has another hash than packages.json`);
}

async function byUrl(url: string): Promise<Buffer> {
  const answer = await fetch(url, { signal: AbortSignal.timeout(FETCH_LIMIT_MS) }).catch((error: Error) => {
    throw new Error(`${url}: ${error.message}`, { cause: error });
  });
  if (!answer.ok) throw new Error(`${url}: status ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

function byApt({ name, version, architecture }: DebianPackage, cache: string): Buffer {
  const dir = mkdtempSync(join(cache, '.apt-'));
  try {
    const wanted = `${name}${architecture === 'all' ? '' : `:${architecture}`}=${version}`;
    run('apt-get', ['download', '-qq', '-o', 'APT::Sandbox::User=root', wanted], dir);
    return readFileSync(join(dir, readdirSync(dir)[0] ?? ''));
  } finally {
    rmSync(dir, { recursive: true });
  }
}
