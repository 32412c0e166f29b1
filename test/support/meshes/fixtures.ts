import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { blocks, page } from '../../docs/markdown.ts';

/** A tree of JSON, whatever is in it. */
export type Json = Record<string, unknown>;

/** Which blocks of which page a mesh's control plane was given; the bare ones lack what the mesh has no field for. */
const inputs = {
  istio: { page: 'docs/istio.md', files: ['mesh', 'service', 'policy', 'filter'] },
  'istio-bare': { page: 'docs/istio.md', files: ['mesh', 'service', 'policy'] },
  'envoy-gateway': { page: 'docs/envoy-gateway.md', files: ['gateway', 'clients', 'check', 'patch'] },
  'envoy-gateway-bare': { page: 'docs/envoy-gateway.md', files: ['gateway', 'clients', 'check'] },
} as const;

export type FixtureName = keyof typeof inputs;
export const fixtureNames = Object.keys(inputs) as FixtureName[];

/** What a mesh made of the files of a page, in the form of a config dump. */
export interface Fixture {
  /** The digest of these files: a page that changed needs its fixture made anew. */
  readonly of: string;
  readonly configs: readonly Json[];
}

/** A block of YAML of the page that a fixture is made of. */
export function documentedFile(name: FixtureName, file: string): string {
  const found = blocks(page(inputs[name].page).text).find(({ info }) => info === `yaml ${file}`);
  if (found === undefined) throw new Error(`${inputs[name].page} has no block "yaml ${file}"`);
  return found.text;
}

export const documentedFiles = (name: FixtureName): readonly string[] =>
  inputs[name].files.map((file) => documentedFile(name, file));

export const inputDigest = (name: FixtureName): string =>
  createHash('sha256').update(documentedFiles(name).join('\n---\n')).digest('hex');

export const fixtureFile = (name: FixtureName): string =>
  join(import.meta.dirname, '..', '..', 'e2e', 'meshes', 'fixtures', `${name}.json`);

export const readFixture = (name: FixtureName): Fixture =>
  JSON.parse(readFileSync(fixtureFile(name), 'utf8')) as Fixture;
