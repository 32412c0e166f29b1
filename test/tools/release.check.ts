import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { blocks, page, repository } from '../docs/markdown.ts';
import { cached } from '../support/cache.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { goTool } from '../support/go-tool.ts';
import { finish, run } from '../support/run.ts';
import { Registry } from './registry.ts';

/** What others read a release with. */
const packages = [
  'in-toto-attestation==0.9.3',
  'securesystemslib[crypto]==1.6.0',
  'cyclonedx-python-lib[json-validation]==11.12.0',
];
const readers = (): Promise<string> =>
  cached('release-readers', packages.map((each) => each.split('==')[1]).join('-'), async (into) => {
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', into, ...packages]);
  });

/** Prints the subjects of the provenance, after in-toto's library has verified the envelope and read each field of it. */
const READ_PROVENANCE = `
import json, sys
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey
envelope = json.load(open(sys.argv[1]))
keyid = envelope["signatures"][0]["keyid"]
key = SSlibKey.from_crypto(load_pem_public_key(open(sys.argv[2], "rb").read()), keyid=keyid)
read = Envelope.from_dict(envelope)
read.verify([key], 1)
statement = json_format.Parse(read.payload, statement_pb2.Statement())
Statement.copy_from_pb(statement).validate()
assert statement.predicate_type == "https://slsa.dev/provenance/v1"
predicate = json.loads(read.payload)["predicate"]
json_format.ParseDict(predicate, provenance_pb2.Provenance())
print(json.dumps({s.name: s.digest["sha256"] for s in statement.subject}))
`;

/** Fails for a bill that is no CycloneDX 1.5. */
const READ_BILL = `
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
for name in sys.argv[1:]:
    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(open(name).read())
    assert error is None, error
`;

/** A block of docs/releasing.md. */
const shown = (name: string): string =>
  blocks(page('docs/releasing.md').text).find(({ info }) => info === `sh ${name}`)!.text;

const REGISTRY = 'registry.example/team';
const version = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')).version as string;
const out = join(repository, 'build', 'release', version);
const unable = process.getuid?.() === 0 ? false : 'only root can build an image without an engine’s service';

suite('npm run release -- --dry-run', { skip: unable }, () => {
  const dir = temporaryFolder();
  const [keyFile, publicFile] = [join(dir, 'release.key'), join(dir, 'release.pub')];
  let [first, second] = ['', ''];
  let registry: Registry;

  before(async () => {
    await run('bash', ['-e', '-c', shown('key')], { cwd: dir });
    registry = await Registry.start();
    first = await release('once');
    // Another checkout has other times.
    const values = join(repository, 'k8s', 'chart', 'values.yaml');
    utimesSync(values, new Date(), new Date());
    second = await release('again');
  });
  after(async () => {
    await registry.stop();
    removeFolder(dir);
  });

  /** What buildah takes from its environment: a storage of this name, and the registry that needs no TLS. */
  function engineOf(name: string): Readonly<Record<string, string>> {
    const [storage, file, registries] = [join(dir, name), join(dir, `${name}.conf`), join(dir, 'registries.conf')];
    writeFileSync(file, `[storage]\ndriver = "vfs"\ngraphroot = "${storage}/images"\nrunroot = "${storage}/run"\n`);
    writeFileSync(registries, `[[registry]]\nlocation = "${registry.host}"\ninsecure = true\n`);
    const files = { CONTAINERS_STORAGE_CONF: file, CONTAINERS_REGISTRIES_CONF: registries };
    return { ...files, STORAGE_DRIVER: 'vfs', BUILDAH_ISOLATION: 'chroot' };
  }

  /** A dry run with a storage of its own for images, so that nothing of another build is found. */
  async function release(name: string): Promise<string> {
    const engine = engineOf(name);
    const [, options = ''] = /^npm run release -- (.+)$/.exec(shown('dry-run').trim()) ?? [];
    const args = options.split(' ').map((word) => (word === 'release.key' ? keyFile : word));
    const env = { ...process.env, ...engine, HELM: await goTool('helm') };
    const said = await run(process.execPath, [join('k8s', 'release', 'main.ts'), ...args], { cwd: repository, env });
    return said.slice(said.indexOf(`cedar-ext-authz ${version} of commit`));
  }

  const python = async (code: string, ...args: readonly string[]) =>
    run('python3', ['-c', code, ...args], { env: { ...process.env, PYTHONPATH: await readers() } });

  test('says the same digests of everything twice', () => {
    assert.match(first, /^cedar-ext-authz \S+ of commit [0-9a-f]{40}, in build\/release\//);
    assert.equal(second, first);
    const digests = [...first.matchAll(/sha256:[0-9a-f]{64} {2}(\S+)/g)].map(([, name]) => name);
    assert.deepEqual(digests, [
      `npm/cedar-ext-authz-${version}.tgz`,
      `chart/cedar-ext-authz-${version}.tgz`,
      'sbom/npm.cdx.json',
      'sbom/image.cdx.json',
      'provenance.json',
      'image/index.json',
      'provenance.dsse.json',
      'SHA256SUMS',
      'SHA256SUMS.sig',
      `${REGISTRY}/cedar-ext-authz:${version}`,
    ]);
  });

  test('says how it would publish, and publishes nothing', () => {
    const [, steps = ''] = /would publish by:\n((?: {2}.+\n)+)/.exec(first) ?? [];
    assert.deepEqual(
      steps
        .trim()
        .split('\n')
        .map((line) => line.trim()),
      [
        `buildah push ${REGISTRY}/cedar-ext-authz:${version}`,
        `helm push build/release/${version}/chart/cedar-ext-authz-${version}.tgz oci://${REGISTRY}/charts`,
        `npm publish build/release/${version}/npm/cedar-ext-authz-${version}.tgz`,
        `git tag --annotate v${version} --message cedar-ext-authz ${version}`,
      ],
    );
  });

  test('registries take image and chart, the image by the digest that was said', async () => {
    const env = { ...process.env, ...engineOf('again') };
    const [digest, target] = [join(dir, 'digest'), `docker://${registry.host}/team/cedar-ext-authz:${version}`];
    await run('buildah', ['push', '--digestfile', digest, `${REGISTRY}/cedar-ext-authz:${version}`, target], { env });
    const pushed = readFileSync(digest, 'utf8').trim();
    assert.ok(first.includes(`${pushed}  ${REGISTRY}/cedar-ext-authz:${version}\n`), pushed);
    const chart = join(out, 'chart', `cedar-ext-authz-${version}.tgz`);
    await run(await goTool('helm'), ['push', '--plain-http', chart, `oci://${registry.host}/charts`]);
    const { layers } = registry.json(version) as { readonly layers: readonly { readonly digest: string }[] };
    assert.ok(first.includes(`${layers[0]!.digest}  chart/`), JSON.stringify(layers));
  });

  test('npm would take the package', async () => {
    const tarball = join(out, 'npm', `cedar-ext-authz-${version}.tgz`);
    const { code, stderr } = await finish('npm', ['publish', '--dry-run', '--offline', tarball], { cwd: dir });
    assert.equal(code, 0, stderr);
  });

  test('helm takes the chart, whose version and image are those of the package', async () => {
    const chart = join(out, 'chart', `cedar-ext-authz-${version}.tgz`);
    const about = await run(await goTool('helm'), ['show', 'chart', chart]);
    assert.match(about, new RegExp(`^version: ${RegExp.escape(version)}$`, 'm'));
    assert.match(about, new RegExp(`^appVersion: "?${RegExp.escape(version)}"?$`, 'm'));
    const values = ['-f', join(repository, 'k8s', 'examples', 'sidecar-first.yaml'), '--set', 'image.repository=a'];
    const rendered = await run(await goTool('helm'), [
      'template',
      'edge',
      chart,
      '--kube-version',
      '1.36.0',
      ...values,
    ]);
    assert.ok(rendered.includes(`image: "a:${version}"`) || rendered.includes(`image: a:${version}`));
  });

  test('its bills of materials are CycloneDX, and that of the image names more', async () => {
    const bills = ['npm', 'image'].map((name) => join(out, 'sbom', `${name}.cdx.json`));
    await python(READ_BILL, ...bills);
    const [ours, all] = bills.map((file) => JSON.parse(readFileSync(file, 'utf8')).components.length as number);
    const { dependencies } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8'));
    assert.ok(ours! >= Object.keys(dependencies).length && all! > ours!);
  });

  test('in-toto’s libraries verify its provenance, which names everything by the digest that it has', async () => {
    const subjects = JSON.parse(await python(READ_PROVENANCE, join(out, 'provenance.dsse.json'), publicFile));
    const said = [...first.matchAll(/sha256:([0-9a-f]{64}) {2}(\S+)/g)].map(([, digest, name]) => [name, digest]);
    const parts = said.filter(([name]) => !/^(provenance|SHA256SUMS|image)/.test(name!));
    assert.deepEqual(subjects, Object.fromEntries(parts));

    const other: KeyObject = generateKeyPairSync('ed25519').publicKey;
    const otherFile = join(dir, 'other.pub');
    writeFileSync(otherFile, other.export({ type: 'spki', format: 'pem' }));
    await assert.rejects(python(READ_PROVENANCE, join(out, 'provenance.dsse.json'), otherFile), /VerificationError/);
  });

  test('whoever downloads it can verify it as docs/releasing.md says, and notices a file that was changed', async () => {
    const copy = join(dir, 'downloaded');
    await run('cp', ['-r', out, copy]);
    await run('cp', [publicFile, join(copy, 'release.pub')]);
    const verify = () => finish('bash', ['-e', '-c', shown('verify')], { cwd: copy });
    const good = await verify();
    assert.equal(good.code, 0, good.stderr);
    assert.match(good.stdout, /^Signature Verified Successfully$/m);
    const chart = join(copy, 'chart', `cedar-ext-authz-${version}.tgz`);
    const whole = readFileSync(chart);
    writeFileSync(chart, whole.subarray(1));
    assert.notEqual((await verify()).code, 0);
    writeFileSync(chart, whole);
    const sums = join(copy, 'SHA256SUMS');
    writeFileSync(sums, readFileSync(sums, 'utf8').replace(/^.*image.*\n/m, ''));
    assert.notEqual((await verify()).code, 0);
  });
});
