import { makeFixtures } from '../support/meshes/make.ts';
import { proveTools } from '../support/prove-tools.ts';

const say = (line: string): void => void process.stdout.write(`${line}\n`);

/** `npm run tools -- prove`: builds what `policy prove` asks into the cache, and says how to name it. */
async function prove(): Promise<void> {
  const { cedar, cvc5 } = await proveTools();
  say(`CEDAR=${cedar}\nCVC5=${cvc5}`);
}

/**
 * `npm run tools -- meshes`: builds pilot-discovery and egctl into the cache, about ten CPU minutes, and has them make the
 * fixtures of test/e2e/meshes of the files in docs/istio.md and docs/envoy-gateway.md.
 */
const meshes = (): Promise<void> => makeFixtures(say);

const wanted = process.argv[2];
if (wanted === 'prove') await prove();
else if (wanted === 'meshes') await meshes();
else {
  process.stderr.write('usage: npm run tools -- prove | meshes\n');
  process.exit(64);
}
