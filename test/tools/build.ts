import { goTool } from '../support/go-tool.ts';

/** Fills the cache with the Go tools before the tests need them: `node test/tools/build.ts`. */
for (const name of ['helm', 'spire-server', 'spire-agent'] as const) {
  process.stdout.write(`${name}: ${await goTool(name)}\n`);
}
