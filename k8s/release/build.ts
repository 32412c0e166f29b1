import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { makeContext, packPackage } from '../image/context.ts';
import { buildImage, findEngine, saveImage } from '../image/engine.ts';
import { readPackages } from '../image/packages.ts';
import { run } from '../image/run.ts';
import { type Artifact, type Material, sha256 } from './provenance.ts';

/** A file of a release. */
export interface ReleaseFile extends Artifact {
  readonly bytes: number;
}

/** What a release holds beside its checksums and its provenance. */
export interface Built {
  readonly files: readonly ReleaseFile[];
  /** Its name with the registry and the tag, and the digest of its manifest. */
  readonly image: Artifact;
  readonly engine: ReturnType<typeof findEngine>;
  readonly materials: readonly Material[];
}

interface Place {
  readonly repository: string;
  /** The release's folder; it is there, and empty. */
  readonly out: string;
  /** The image, with registry and tag. */
  readonly image: string;
  readonly version: string;
}

/** Builds everything of a release from the checkout, each so that the same commit gives the same bytes. */
export async function buildRelease({ repository, out, image, version }: Place): Promise<Built> {
  const build = join(repository, 'build');
  const tarball = packPackage(repository, join(out, 'npm'));
  const chart = packageChart(join(repository, 'k8s', 'chart'), join(out, 'chart'), version);
  const context = await makeContext(repository, build, readPackages(), tarball);
  const bills = join(out, 'sbom');
  mkdirSync(bills);
  const [packageBill, imageBill] = [join(bills, 'npm.cdx.json'), join(bills, 'image.cdx.json')];
  writeFileSync(packageBill, context.packageBill);
  writeFileSync(imageBill, context.bill);
  const engine = findEngine(undefined);
  buildImage(engine, image, join(repository, 'k8s', 'image', 'Containerfile'), context.folder);
  const digest = saveImage(engine, image, join(out, 'image'));
  return {
    files: [tarball, chart, packageBill, imageBill].map((file) => fileOf(out, file)),
    image: { name: image, sha256: digest.replace(/^sha256:/, '') },
    engine,
    materials: materialsOf(context.bill, readFileSync(join(repository, 'package-lock.json'))),
  };
}

/** A file of the release, by its path in the release's folder. */
export function fileOf(out: string, file: string): ReleaseFile {
  return { name: file.slice(out.length + 1), sha256: sha256(readFileSync(file)), bytes: statSync(file).size };
}

/** The program that packs and pushes charts: `$HELM`, else `helm` on PATH. */
export const helm = (): string => process.env.HELM ?? 'helm';

/** The chart as `helm package` checks and packs it, packed again without the times of its files. */
function packageChart(chart: string, into: string, version: string): string {
  mkdirSync(into);
  const dir = mkdtempSync(join(tmpdir(), 'chart-'));
  try {
    run(helm(), ['package', chart, '--destination', dir]);
    const archive = join(dir, `cedar-ext-authz-${version}.tgz`);
    run('tar', ['-xzf', archive, '-C', dir]);
    const plain = join(dir, 'chart.tar');
    const same = ['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner', '--mode=u=rw,go=r,a+X'];
    run('tar', ['--format=ustar', ...same, '-cf', plain, '-C', dir, 'cedar-ext-authz']);
    run('gzip', ['--no-name', '-9', plain]);
    const file = join(into, basename(archive));
    cpSync(`${plain}.gz`, file);
    return file;
  } finally {
    rmSync(dir, { recursive: true });
  }
}

interface Component {
  readonly purl: string;
  readonly hashes?: readonly { readonly alg: string; readonly content: string }[];
}

/** What the bill of the image names, each by its digest, and the list that says what else the build used. */
function materialsOf(bill: string, lock: Buffer): readonly Material[] {
  const { components } = JSON.parse(bill) as { readonly components: readonly Component[] };
  const named = components.map(({ purl, hashes = [] }) => ({
    uri: purl,
    digest: Object.fromEntries(hashes.map(({ alg, content }) => [alg.toLowerCase().replace('-', ''), content])),
  }));
  return [{ uri: 'file:package-lock.json', digest: { sha256: sha256(lock) } }, ...named];
}
