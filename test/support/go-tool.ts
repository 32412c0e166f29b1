import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { cached } from './cache.ts';
import { run } from './run.ts';
import { words } from './words.ts';

const toolsDir = join(import.meta.dirname, '..', 'tools');

interface GoTool {
  /** The folder of its Go module below test/tools. */
  readonly module: string;
  readonly package: string;
}

/** The tools that are built from Go modules. helm and SPIRE have a module each, so that one does not pin the other. */
const tools = {
  helm: { module: 'helm', package: 'helm.sh/helm/v4/cmd/helm' },
  'spire-server': { module: 'spire', package: 'github.com/spiffe/spire/cmd/spire-server' },
  'spire-agent': { module: 'spire', package: 'github.com/spiffe/spire/cmd/spire-agent' },
} satisfies Record<string, GoTool>;

/**
 * The path of a Go tool's binary, built into the cache when it is not there. The key is the digest of go.mod and go.sum,
 * so that a changed pin is built anew. SPIRE takes about ten CPU minutes and 4 GB when nothing is built yet.
 */
export async function goTool(name: keyof typeof tools): Promise<string> {
  const tool = tools[name];
  const module = join(toolsDir, tool.module);
  const pins = ['go.mod', 'go.sum'].map((file) => readFileSync(join(module, file)));
  const key = createHash('sha256').update(Buffer.concat(pins)).digest('hex').slice(0, 12);
  const dir = await cached(name, key, async (into) => {
    process.stderr.write(`building ${name} (once; later runs take it from the cache)\n`);
    const args = words('build -p 2 -trimpath -mod=readonly');
    await run('go', [...args, '-ldflags=-s -w', '-o', join(into, name), tool.package], { cwd: module });
  });
  return join(dir, name);
}
