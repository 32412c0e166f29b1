import {
  chmodSync,
  copyFileSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { debianPackage, nodePackage, type Packages } from './packages.ts';
import { run } from './run.ts';
import { sbom } from './sbom.ts';

/** Where the package lies in the image, without the leading slash. */
const APP = 'opt/cedar-ext-authz';
const SBOM = 'usr/share/sbom/cedar-ext-authz.cdx.json';

/** What of Debian's packages a process without a shell can use, and what their licences ask for. */
const kept = (path: string): boolean =>
  /^(lib|lib64|usr\/lib)\/(x86_64-linux-gnu\/.+\.so[.\d]*|ld-linux[^/]*|os-release)$/.test(path) ||
  /^usr\/share\/(common-licenses\/.+|doc\/[^/]+(\/copyright)?)$/.test(path) ||
  /^etc\/(debian_version|os-release)$/.test(path);
const notKept = /\/gconv\//;

/** Nobody logs in; the name is for programs that ask for the user's. */
const accounts = {
  'etc/passwd': 'root:x:0:0:root:/:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/:/sbin/nologin\n',
  'etc/group': 'root:x:0:\nnonroot:x:65532:\n',
  'etc/nsswitch.conf': 'hosts: files dns\n',
};

/** What an image is made of, and what that holds. */
interface Context {
  readonly folder: string;
  /** The bill of materials of the image, and of the package alone. */
  readonly bill: string;
  readonly packageBill: string;
}

/** The package of the checkout, built and packed by npm into a folder; its file. */
export function packPackage(repository: string, into: string): string {
  mkdirSync(into, { recursive: true });
  const said = run('npm', ['pack', '--silent', '--pack-destination', into], repository);
  return join(into, said.trim().split('\n').at(-1) ?? '');
}

/** Makes the build context of Containerfile in `build`/image from the packages and the package that npm packed. */
export async function makeContext(
  repository: string,
  build: string,
  packages: Packages,
  packed: string,
): Promise<Context> {
  const context = join(build, 'image');
  const cache = join(build, 'packages');
  rmSync(context, { recursive: true, force: true });
  mkdirSync(cache, { recursive: true });
  await addDebian(join(context, 'debian'), join(build, 'unpacked'), packages.debian, cache);
  addNode(join(context, 'node'), packages.node, cache);
  const app = join(context, 'app', APP);
  unpackApp(app, repository, packed);
  const [bill, packageBill] = [sbom(app, packages), sbom(app)];
  for (const name of BESIDE) rmSync(join(app, name));
  write(join(context, 'app'), SBOM, bill);
  sameEverywhere(context);
  return { folder: context, bill, packageBill };
}

async function addDebian(root: string, unpacked: string, debian: Packages['debian'], cache: string): Promise<void> {
  const authorities: string[] = [];
  for (const one of debian.packages) {
    const file = await debianPackage(one, debian.snapshot, cache);
    rmSync(unpacked, { recursive: true, force: true });
    run('dpkg-deb', ['-x', file, unpacked]);
    for (const path of paths(unpacked)) {
      if (!kept(path) || notKept.test(path)) continue;
      copy(join(unpacked, path), join(root, path));
    }
    const certificates = paths(unpacked).filter((path) => /^usr\/share\/ca-certificates\/.+\.crt$/.test(path));
    authorities.push(...certificates.map((path) => readFileSync(join(unpacked, path), 'utf8')));
    // Where scanners of images without dpkg's own files look.
    write(root, `var/lib/dpkg/status.d/${one.name}`, run('dpkg-deb', ['-f', file]));
  }
  rmSync(unpacked, { recursive: true });
  write(root, 'etc/ssl/certs/ca-certificates.crt', authorities.join(''));
  for (const [path, text] of Object.entries(accounts)) write(root, path, text);
}

function addNode(root: string, node: Packages['node'], cache: string): void {
  const unpacked = join(root, 'usr', 'lib', 'node');
  mkdirSync(unpacked, { recursive: true });
  const members = ['package/bin/node', 'package/LICENSE', 'package/package.json'];
  run('tar', ['-xzf', nodePackage(node, cache), '-C', unpacked, '--strip-components=1', ...members]);
  mkdirSync(join(root, 'usr', 'bin'), { recursive: true });
  renameSync(join(unpacked, 'bin', 'node'), join(root, 'usr', 'bin', 'node'));
  rmdirSync(join(unpacked, 'bin'));
}

/** What npm reads beside the manifest. */
const BESIDE = ['package-lock.json', '.npmrc'];

/** The package as npm packed it, with what package-lock.json names for it. */
function unpackApp(app: string, repository: string, packed: string): void {
  mkdirSync(app, { recursive: true });
  run('tar', ['-xzf', packed, '-C', app, '--strip-components=1']);
  for (const name of BESIDE) copy(join(repository, name), join(app, name));
  // `npm sbom --omit=dev` leaves out what development dependencies need too, so these go first, from both files.
  const { devDependencies: _, ...manifest } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
  write(app, 'package.json', `${JSON.stringify(manifest, null, 2)}\n`);
  run('npm', ['install', '--package-lock-only', '--ignore-scripts', '--offline', '--silent'], app);
  run('npm', ['ci', '--ignore-scripts', '--prefer-offline', '--silent'], app);
  const modules = join(app, 'node_modules');
  // Node reads no TypeScript there.
  for (const path of paths(modules)) if (/\.[cm]?ts(\.map)?$/.test(path)) rmSync(join(modules, path));
}

/** One mode for files, one for programs and folders, and one time: nothing of the machine that built them. */
function sameEverywhere(root: string): void {
  for (const path of ['', ...paths(root, true)]) {
    const file = join(root, path);
    const found = lstatSync(file);
    if (!found.isSymbolicLink()) chmodSync(file, found.isDirectory() || (found.mode & 0o100) !== 0 ? 0o755 : 0o644);
    lutimesSync(file, 0, 0);
  }
}

/** A file, or a link as it is. */
function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  if (lstatSync(from).isSymbolicLink()) symlinkSync(readlinkSync(from), to);
  else copyFileSync(from, to);
}

function write(root: string, path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** The files and links under a folder, sorted; with its folders too, where asked. */
function paths(root: string, folders = false): readonly string[] {
  const found = readdirSync(root, { recursive: true, encoding: 'utf8' }).sort();
  return folders ? found : found.filter((path) => !lstatSync(join(root, path)).isDirectory());
}
