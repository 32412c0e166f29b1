import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SourceFile } from '../../policy/text/source-file.ts';

/** The claims of a folder about one schema, and the facts that stand in `facts/` beside them. */
export interface ClaimFiles {
  readonly claims: readonly SourceFile[];
  readonly facts: readonly SourceFile[];
}

/** The claims about requests, and those about calls of the control API in `control/`. */
export interface ClaimFolder extends ClaimFiles {
  readonly control: ClaimFiles;
}

/** The claims that come with this release. */
export const SHIPPED_CLAIMS = join(import.meta.dirname, '..', '..', '..', 'cedar', 'claims');

/** Reads the `*.cedar` files of a folder of claims. Throws where the folder itself cannot be read. */
export async function readClaimFolder(folder: string): Promise<ClaimFolder> {
  const [claims, facts, control, controlFacts] = [
    await filesIn(folder, ''),
    await filesIn(folder, 'facts/', true),
    await filesIn(folder, 'control/', true),
    await filesIn(folder, 'control/facts/', true),
  ];
  return { claims, facts, control: { claims: control, facts: controlFacts } };
}

async function filesIn(folder: string, within: string, mayLack = false): Promise<readonly SourceFile[]> {
  let names: readonly string[];
  try {
    names = await readdir(join(folder, within));
  } catch (error) {
    if (mayLack && (error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const wanted = names.filter((name) => name.endsWith('.cedar') && !name.startsWith('.')).toSorted();
  return Promise.all(
    wanted.map(async (name) => ({
      file: `${within}${name}`,
      text: await readFile(join(folder, within, name), 'utf8'),
    })),
  );
}
