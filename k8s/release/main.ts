import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { pushImage } from '../image/engine.ts';
import { run } from '../image/run.ts';
import { type Built, buildRelease, fileOf, helm, type ReleaseFile } from './build.ts';
import { envelope, provenance, rawSignature, signingKey } from './provenance.ts';
import { releaseState, tagOf, unready } from './readiness.ts';

const repository = join(import.meta.dirname, '..', '..');
const USAGE = `npm run release -- --registry REGISTRY --key FILE [--dry-run]
  builds, signs and publishes the version of package.json: npm package, chart, image, bills of materials, checksums, provenance
  --registry REGISTRY  where the image and the chart go, such as registry.example/team
  --key FILE           the Ed25519 private key (PKCS #8, PEM) that signs
  --dry-run            builds all of it into build/release, and says what it would publish; without --key it signs nothing
  $HELM                the program that packs charts; default: helm on PATH
`;
const indented = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join('\n');
const say = (text: string): void => void process.stdout.write(`${text}\n`);

const { values } = parseArgs({
  options: {
    'dry-run': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    registry: { type: 'string' },
    key: { type: 'string' },
  },
});
const { registry, key: keyFile, 'dry-run': dry } = values;

if (values.help) say(USAGE);
else if (registry === undefined || (keyFile === undefined && !dry)) {
  process.stderr.write(USAGE);
  process.exitCode = 64;
} else {
  const state = releaseState(repository);
  const open = unready(state);
  if (open.length > 0 && !dry) {
    say(`this cannot be published:\n${indented(open)}`);
    process.exitCode = 1;
  } else {
    await release({ version: state.version, registry, open });
  }
}

interface Order {
  readonly version: string;
  readonly registry: string;
  /** What has to be done before it can be published. */
  readonly open: readonly string[];
}

async function release({ version, registry, open }: Order): Promise<void> {
  const key = keyFile === undefined ? null : signingKey(readFileSync(keyFile, 'utf8'));
  const out = join(repository, 'build', 'release', version);
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const commit = run('git', ['rev-parse', 'HEAD'], repository).trim();
  const built = await buildRelease({ repository, out, image: `${registry}/cedar-ext-authz:${version}`, version });
  const { files, image, materials } = built;
  const statement = provenance({ version, commit, artifacts: [...files, image], materials });
  const write = (name: string, content: string | Buffer): ReleaseFile => {
    writeFileSync(join(out, name), content);
    return fileOf(out, join(out, name));
  };
  const stated = [...files, write('provenance.json', statement), fileOf(out, join(out, 'image', 'index.json'))];
  if (key !== null) stated.push(write('provenance.dsse.json', envelope(statement, key)));
  const sums = stated.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join('');
  const all = [...stated, write('SHA256SUMS', sums)];
  if (key !== null) all.push(write('SHA256SUMS.sig', rawSignature(sums, key)));

  say(`cedar-ext-authz ${version} of commit ${commit}, in ${relative(repository, out)}:`);
  say(indented(all.map(({ name, bytes, sha256 }) => `sha256:${sha256}  ${name}  ${bytes} bytes`)));
  say(indented([`sha256:${image.sha256}  ${image.name}`]));
  const steps = publication(built, { version, registry }, out);
  if (!dry) {
    for (const { take } of steps) take();
    say(`published; what is left: git push --tags, and these files where releases are kept`);
    return;
  }
  say(`would publish by:\n${indented(steps.map(({ shown }) => shown))}`);
  if (key === null) say('unsigned: --key was left out');
  if (open.length > 0) say(`before that:\n${indented(open)}`);
}

interface Step {
  readonly shown: string;
  readonly take: () => void;
}

/** What publishes a release, in this order: what is referred to before what refers to it, and the tag when all is there. */
function publication({ files, image, engine }: Built, order: Omit<Order, 'open'>, out: string): readonly Step[] {
  const command = (name: string, ...args: readonly string[]): Step => ({
    shown: [name, ...args].join(' '),
    take: () => void run(name === 'helm' ? helm() : name, args, repository),
  });
  const [tarball, chart] = files.map(({ name }) => relative(repository, join(out, name))) as [string, string];
  return [
    {
      shown: `${engine} push ${image.name}`,
      take: () => {
        const pushed = pushImage(engine, image.name);
        if (pushed !== `sha256:${image.sha256}`) throw new Error(`the registry has ${pushed}, and not ${image.sha256}`);
      },
    },
    command('helm', 'push', chart, `oci://${order.registry}/charts`),
    command('npm', 'publish', tarball),
    command('git', 'tag', '--annotate', tagOf(order.version), '--message', `cedar-ext-authz ${order.version}`),
  ];
}
