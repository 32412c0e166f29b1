import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readSources } from '../../src/policy/load/read.ts';
import { type PolicySettings, revisionOf } from '../../src/policy/text/sources.ts';

/** Ways in which a version is no set of policies. */
const broken = [
  'permit (principal, action, resource) when { 1 = 1 };',
  '@id("torn") permit (principal, action, reso',
  Buffer.from([...Buffer.from('@id("torn") // '), 0xe2, 0x82]),
  '',
  `// ${'x'.repeat(5 * 1024 * 1024)}`,
] as const;

const permit = (id: string): string =>
  `@id("${id}")
permit (
  principal == Mesh::Workload::"spiffe://prod.example/ns/payments/sa/ledger",
  action,
  resource in Mesh::Host::"payments.internal"
);
`;

/**
 * A folder of policies that is swapped whole, as Kubernetes swaps a ConfigMap. Version N permits the ledger everything by
 * two policies in two files, `a-N` and `b-N`: whoever mixes versions shows it.
 */
export class PolicyVersions {
  readonly folder: string;
  readonly #inventory: string;
  #last: string | null = null;

  constructor(folder: string, inventory: string) {
    this.folder = folder;
    this.#inventory = inventory;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    symlinkSync('..data', join(folder, 'set'));
  }

  /** Swaps a version in. With `fault`, a third file beside the two is broken, in the way of that number. */
  swap(version: number, fault: number | null = null): void {
    const name = `..v${version}`;
    mkdirSync(join(this.folder, name));
    for (const file of ['a', 'b'])
      writeFileSync(join(this.folder, name, `${file}.cedar`), permit(`${file}-${version}`));
    if (fault !== null)
      writeFileSync(join(this.folder, name, `fault-${version}.cedar`), broken[fault % broken.length]!);
    symlinkSync(name, join(this.folder, '..data_tmp'));
    renameSync(join(this.folder, '..data_tmp'), join(this.folder, '..data'));
    if (this.#last !== null) rmSync(join(this.folder, this.#last), { recursive: true });
    this.#last = name;
  }

  /** The revision of what stands in the folder now. */
  async revision(settings: PolicySettings): Promise<string> {
    const { sources } = await readSources({ folder: this.folder, inventory: this.#inventory }, settings);
    if (Array.isArray(sources)) throw new Error(sources[0]?.message);
    return revisionOf(sources);
  }
}
