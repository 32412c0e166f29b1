import { createHash } from 'node:crypto';
import type { DebianPackage, Packages } from './packages.ts';
import { run } from './run.ts';

interface Component {
  readonly 'bom-ref': string;
  readonly type: string;
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  readonly [more: string]: unknown;
}

interface Bill {
  serialNumber: string;
  metadata: { timestamp?: string; component: { type: string; 'bom-ref': string } };
  components: Component[];
  dependencies: { readonly ref: string; dependsOn: string[] }[];
}

/**
 * A bill of materials (CycloneDX 1.5): what `npm sbom` reads in the lock file of `app`, and of an image Node and Debian's packages
 * too. It carries no time, and a serial number of its content, so that the same content has the same.
 */
export function sbom(app: string, image: Packages | null = null): string {
  const args = ['sbom', '--sbom-format=cyclonedx', '--sbom-type=application', '--package-lock-only'];
  const bill = JSON.parse(run('npm', args, app)) as Bill;
  delete bill.metadata.timestamp;
  const base = image === null ? [] : baseOf(image);
  bill.components.push(...base);
  const references = base.map((component) => component['bom-ref']);
  bill.dependencies.find(({ ref }) => ref === bill.metadata.component['bom-ref'])?.dependsOn.push(...references);
  bill.dependencies.push(...references.map((ref) => ({ ref, dependsOn: [] })));
  bill.serialNumber = '';
  bill.serialNumber = `urn:uuid:${uuidOf(JSON.stringify(bill))}`;
  return `${JSON.stringify(bill, null, 2)}\n`;
}

const baseOf = ({ debian, node }: Packages): readonly Component[] => [
  nodeComponent(node),
  ...debian.packages.map((one) => debianComponent(one, debian.suite)),
];

function nodeComponent({ name, version, integrity }: Packages['node']): Component {
  const content = Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex');
  return {
    'bom-ref': `${name}@${version}`,
    type: 'platform',
    name,
    version,
    purl: `pkg:npm/${name}@${version}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${version}:*:*:*:*:*:*:*`,
    hashes: [{ alg: 'SHA-512', content }],
  };
}

function debianComponent({ name, version, architecture, sha256 }: DebianPackage, suite: string): Component {
  const purl = `pkg:deb/debian/${encodeURIComponent(name)}@${encodeURIComponent(version)}?arch=${architecture}&distro=${suite}`;
  const hashes = [{ alg: 'SHA-256', content: sha256 }];
  return { 'bom-ref': purl, type: 'library', name, version, purl, hashes };
}

/** A UUID (version 8, RFC 9562 section 5.8) of the text's hash. */
function uuidOf(text: string): string {
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}
