import { tokenize } from '../text/tokens.ts';
import { insteadOf, joined, matchedTokens } from './find-mistakes.ts';
import type { Mistake } from './mistake.ts';
import { mistakes } from './mistakes.ts';

const HEAD = `# What to write instead

Policies are written in [Cedar](https://docs.cedarpolicy.com/policies/syntax-policy.html), with the types of
[the schema](../cedar/schema.cedarschema). The forms on the left are habits from other languages and products;
\`policy check\`, and every sidecar before it uses a folder, reports them with their position and the form on the right.

Where something may be absent (a task, a header, an address), check first that it is present. In a forbid the guarded form
belongs in \`unless { … }\`: see [the rules](policies.md#rules-that-keep-policies-honest).

This file is generated from src/policy/lint/mistakes.ts; \`UPDATE=1 node --test src/policy/lint/mistakes.test.ts\` writes it.
`;

/** docs/policy-messages.md: every row of the table of mistakes. */
export function mistakesPage(): string {
  const rows = mistakes.map((mistake) => {
    const { written, why } = mistake;
    return `| ${code(written)} | ${code(meantBy(mistake))} | ${why.replaceAll('|', '\\|')} |`;
  });
  return `${HEAD}\n| Written | Meant | Why |\n|---|---|---|\n${rows.join('\n')}\n`;
}

/** The example of a mistake as it is meant. */
export function meantBy(mistake: Mistake): string {
  const { written, meant, found } = mistake;
  if (meant !== undefined) return meant;
  const tokens = tokenize(written);
  if ('message' in tokens) return written;
  const match = found.exec(joined(tokens));
  if (match === null) return written;
  // What is left of the example keeps its spelling.
  const [first, last] = matchedTokens(tokens, match);
  return `${written.slice(0, first?.start)}${insteadOf(mistake, match)}${written.slice(last?.end)}`;
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}
