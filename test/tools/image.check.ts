import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { debianPackage, nodePackage, type Packages, readPackages } from '../../k8s/image/packages.ts';
import { believeAccessTokens, dpopRows } from '../demo/dpop.ts';
import { play } from '../demo/play.ts';
import { rows } from '../demo/rows.ts';
import { asShipped } from '../support/as-shipped.ts';
import { Estate } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { HttpsKeys } from '../support/https-keys.ts';
import { finish, run } from '../support/run.ts';
import { entryPoint, type Image, inImage, unpack } from './image.ts';
import { Registry } from './registry.ts';

const repository = join(import.meta.dirname, '..', '..');
const packages: Packages = readPackages();

test('the image runs the Node that the tests run', () => {
  assert.equal(packages.node.version, process.versions.node);
});

test('a package with another hash than the list’s is not taken, from whatever source', async () => {
  const dir = temporaryFolder();
  try {
    const { debian, node } = packages;
    const [one] = debian.packages;
    const file = await debianPackage(one!, debian.snapshot, dir);
    writeFileSync(file, 'changed since');
    assert.equal(await debianPackage(one!, debian.snapshot, dir), file, 'a damaged copy is fetched again');
    assert.notEqual(readFileSync(file, 'utf8'), 'changed since');
    const other = { ...one!, sha256: '0'.repeat(64) };
    await assert.rejects(debianPackage(other, debian.snapshot, dir), /is nowhere to be had:[\s\S]*another hash/);
    assert.throws(() => nodePackage({ ...node, integrity: 'sha512-AAAA' }, dir), /another hash than packages\.json/);
    assert.deepEqual(readdirSync(dir), [basename(file)]);
  } finally {
    removeFolder(dir);
  }
});

const unable = process.getuid?.() === 0 ? false : 'only root can build without an engine’s service, and become 65532';
describe('the image, built by buildah, pushed, and run by unshare', { skip: unable }, () => {
  const dir = temporaryFolder();
  let registry: Registry;
  let image: Image;
  let digests: string[];

  before(async () => {
    registry = await Registry.start();
    digests = [await build('once'), await build('again')];
    image = await unpack(registry, digests[0]!, join(dir, 'root'));
  });
  after(async () => {
    await registry.stop();
    removeFolder(dir);
  });

  /** `npm run image -- NAME --push`, with a storage of its own, so that nothing of another build is found. */
  async function build(tag: string): Promise<string> {
    const storage = join(dir, tag);
    mkdirSync(storage);
    const [storageFile, registries] = [join(storage, 'storage.conf'), join(storage, 'registries.conf')];
    const folders = `graphroot = "${storage}/images"\nrunroot = "${storage}/run"`;
    writeFileSync(storageFile, `[storage]\ndriver = "vfs"\n${folders}\n`);
    writeFileSync(registries, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
    const env = { ...process.env, CONTAINERS_STORAGE_CONF: storageFile, CONTAINERS_REGISTRIES_CONF: registries };
    const name = `${registry.host}/cedar-ext-authz:${tag}`;
    const main = join(repository, 'k8s', 'image', 'main.ts');
    const said = await run(process.execPath, [main, name, '--push', '--engine', 'buildah'], {
      cwd: repository,
      env: { ...env, STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot' },
    });
    removeFolder(storage);
    const digest = /image\.repository=(\S+) --set image\.digest=(sha256:[0-9a-f]{64})$/m.exec(said);
    assert.equal(digest?.[1], `${registry.host}/cedar-ext-authz`);
    return digest[2]!;
  }

  const inside = (path: string): string => readFileSync(join(image.root, path), 'utf8');
  const folder = (): string => mkdtempSync(join(dir, 'folder-'));
  const node = (script: string, authorities?: string) => {
    const program = image.config.Entrypoint.slice(0, -1);
    const { file, args } = inImage(image, program, authorities)(['-e', script], folder());
    return finish(file, [...args]);
  };

  test('two builds give one digest', () => {
    assert.equal(digests[0], digests[1]);
    process.stdout.write(`image ${digests[0]}, ${(image.compressed / 1e6).toFixed(1)} MB compressed\n`);
  });

  test('its entry point is the program of the package, under Node’s flags', () => {
    const [program, ...rest] = image.config.Entrypoint;
    const app = '/opt/cedar-ext-authz';
    const { bin } = JSON.parse(inside(`${app}/package.json`)) as { readonly bin: Readonly<Record<string, string>> };
    assert.equal(program, '/usr/bin/node');
    assert.equal(rest.pop(), `${app}/${bin['cedar-ext-authz']}`);
    assert.ok(rest.every((flag) => flag.startsWith('--')));
    const shipped = asShipped(join(repository, 'src', 'main.ts')).filter((word) => word !== process.execPath);
    const given = [...image.config.Env, ...rest];
    assert.deepEqual(
      shipped.filter((word) => !given.includes(word)),
      [],
    );
  });

  test('it is run by a user without rights, whom no file belongs to', () => {
    assert.equal(image.config.User, '65532:65532');
    const files = readdirSync(image.root, { recursive: true, encoding: 'utf8' });
    const open = files.filter((path) => {
      const { mode, uid, gid } = lstatSync(join(image.root, path));
      return (
        uid !== 0 || gid !== 0 || (mode & 0o6000) !== 0 || ((mode & 0o022) !== 0 && (mode & 0o170000) !== 0o120000)
      );
    });
    assert.deepEqual(open, []);
  });

  test('Node and the dynamic loader are the only programs in it', async () => {
    const { stdout } = await finish('find', [image.root, '-type', 'f', '-perm', '/111', '-printf', '%P\n']);
    const programs = stdout.split('\n').filter((path) => path !== '' && !/^opt\/|\.so/.test(path));
    assert.deepEqual(programs, ['usr/bin/node']);
    assert.deepEqual(
      readdirSync(join(image.root, 'usr', 'bin')).filter((name) => name !== 'node'),
      [],
    );
  });

  test('its bill of materials, inside and beside, names every package in it with its version', () => {
    const bill = inside('usr/share/sbom/cedar-ext-authz.cdx.json');
    assert.equal(bill, readFileSync(join(repository, 'build', 'cedar-ext-authz.cdx.json'), 'utf8'));
    const { components, metadata } = JSON.parse(bill) as {
      components: { name: string; version: string; hashes: unknown[] }[];
      metadata: { component: { name: string } };
    };
    assert.equal(metadata.component.name, 'cedar-ext-authz');
    assert.ok(components.every(({ hashes }) => hashes.length > 0));
    const modules = readdirSync(join(image.root, 'opt/cedar-ext-authz/node_modules'), {
      recursive: true,
      encoding: 'utf8',
    })
      .filter((path) => /(^|node_modules\/)(@[^/]+\/)?[^/@]+\/package\.json$/.test(path))
      .map(
        (path) => JSON.parse(inside(`opt/cedar-ext-authz/node_modules/${path}`)) as { name: string; version: string },
      );
    const debian = readdirSync(join(image.root, 'var/lib/dpkg/status.d')).map((name) => {
      const [, version = ''] = /^Version: (.+)$/m.exec(inside(`var/lib/dpkg/status.d/${name}`)) ?? [];
      return { name, version };
    });
    const known = components.map(({ name, version }) => `${name} ${version}`);
    const present = [...modules, ...debian, packages.node].map(({ name, version }) => `${name} ${version}`);
    assert.deepEqual([...new Set(present)].sort(), known.sort());
    assert.equal(debian.length, packages.debian.packages.length);
  });

  test('the process has no capability and no way to one, and cannot write to its root', async () => {
    const { stdout, stderr } = await node(`
      const fs = require('node:fs');
      let error = 'none';
      try { fs.writeFileSync('/opt/cedar-ext-authz/x', ''); } catch ({ code }) { error = code; }
      console.log(fs.readFileSync('/proc/self/status', 'utf8'), 'write:', error);
    `);
    const field = (name: string): string | undefined =>
      new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, 'm').exec(stdout)?.[1];
    assert.equal(field('Uid'), '65532\t65532\t65532\t65532', stderr);
    assert.equal(field('Gid'), '101\t101\t101\t101');
    assert.equal(field('Groups'), '');
    for (const set of ['CapInh', 'CapPrm', 'CapEff', 'CapAmb']) assert.equal(field(set), '0000000000000000');
    assert.equal(field('NoNewPrivs'), '1');
    assert.equal(field(' write'), 'EROFS');
  });

  test('certificate authorities are the image’s own, and those that are mounted over them', async () => {
    const keys = await HttpsKeys.start((_, response) => response.end('reached'));
    try {
      const ask = `fetch(${JSON.stringify(keys.url)}).then((a) => a.text()).then(console.log, (e) => console.log(e.cause.code));`;
      const own = await node(ask);
      assert.match(own.stdout, /^(UNABLE_TO|SELF_SIGNED)/, own.stderr);
      const file = join(dir, 'authorities.pem');
      writeFileSync(file, keys.ca.certificate.pem);
      const mounted = await node(ask, file);
      assert.equal(mounted.stdout.trim(), 'reached', mounted.stderr);
      assert.ok(inside('etc/ssl/certs/ca-certificates.crt').split('BEGIN CERTIFICATE').length > 100);
    } finally {
      await keys.stop();
    }
  });

  test('without arguments it says what it can do', async () => {
    const { file, args } = entryPoint(image)(image.config.Cmd, folder());
    const { code, stdout, stderr } = await finish(file, [...args]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /^cedar-ext-authz: .*\n\nserve --config FILE/);
  });

  test('every row of the demo passes against the sidecar in the image', async () => {
    const estate = await Estate.start({ envoy: 'uds', prepare: believeAccessTokens, command: entryPoint(image) });
    const openEnvoy = await estate.base.envoy('test-permissive', estate.upstream);
    try {
      // The last two rows kill the sidecar and bring it back.
      for (const row of rows.toSpliced(-2, 0, ...dpopRows())) {
        const { right, cells } = await play(row, { estate, openEnvoy });
        assert.ok(right, cells.join(' | '));
      }
      assert.equal(await estate.sidecar.stop(), 0);
    } finally {
      await openEnvoy.stop();
      await estate.stop();
    }
  });
});
