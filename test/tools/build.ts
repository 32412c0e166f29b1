import { proveTools } from '../support/prove-tools.ts';

/** `npm run tools -- prove`: builds what `policy prove` asks into the cache, and says how to name it. */
if (process.argv[2] !== 'prove') {
  process.stderr.write('usage: npm run tools -- prove\n');
  process.exit(64);
}
const { cedar, cvc5 } = await proveTools();
process.stdout.write(`CEDAR=${cedar}\nCVC5=${cvc5}\n`);
