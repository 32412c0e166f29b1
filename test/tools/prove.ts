import { proveTools } from '../support/prove-tools.ts';
import { proveShipped, writeProved } from '../support/proved.ts';

/** `npm run prove`: proves the shipped claims of the shipped guardrails, whatever is permitted, and writes down what came of it. */
const proved = await proveShipped(await proveTools(), (line) => process.stdout.write(`${line}\n`));
if (proved.wrong) process.exit(1);
writeProved(proved.document);
