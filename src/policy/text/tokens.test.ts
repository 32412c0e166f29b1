import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { newInstance } from '../decide/engine.ts';
import { entitiesOf } from '../lint/literals.ts';
import { statements } from './split-policies.ts';
import { literals, stringValue, tokenize } from './tokens.ts';

const cedar = newInstance();

const lineEnd = fc.constantFrom('\n', '\r', '\r\n', '\u2028', '\u0085', '\f');
const inComment = fc.string({ maxLength: 4, unit: fc.constantFrom('/', '*', '"', ';', 'a', '\\', '\t', '\u2028') });
const blank = fc.oneof(
  { weight: 60, arbitrary: fc.constantFrom('', ' ', '\n') },
  { weight: 1, arbitrary: fc.constantFrom('\r', '\t', '\v', '\u00a0', '\ufeff', '\u0085', '\u200b', '/**/') },
  { weight: 3, arbitrary: fc.tuple(inComment, lineEnd).map(([text, end]) => `//${text}${end}`) },
);
const letter = fc.oneof(
  { weight: 30, arbitrary: fc.constantFrom('a', 'b', '-', '/', ';', "'", ' ', 'é', '𝕏', '//', '::') },
  { weight: 2, arbitrary: fc.constantFrom('\\n', '\\r', '\\t', '\\0', '\\\\', "\\'", '\\"', '\\*', '\\q', '\r', '\n') },
  { weight: 1, arbitrary: fc.nat(0x8f).map((n) => `\\x${n.toString(16).padStart(2, '0')}`) },
  {
    weight: 3,
    arbitrary: fc
      .string({ unit: fc.constantFrom('0', '2', 'd', 'D', '_', 'g'), maxLength: 9 })
      .map((digits) => `\\u{${digits}}`),
  },
);
const quoted = fc.array(letter, { maxLength: 3 }).map((letters) => `"${letters.join('')}"`);

/** Policies whose words stand far apart, with anything that some reader may take for a blank or an escape between them. */
const text = fc
  .array(fc.tuple(fc.constantFrom('principal in', 'principal =='), quoted, fc.boolean()), {
    minLength: 1,
    maxLength: 3,
  })
  .chain((parts) => {
    const words = parts.flatMap(([scope, name, when], index) => [
      ...[
        '@',
        'id',
        '(',
        `"p${index}"`,
        ')',
        'permit',
        '(',
        ...scope.split(' '),
        'A',
        '::',
        'B',
        '::',
        name,
        ',',
        'action',
      ],
      ...[',', 'resource', ')', ...(when ? ['when', '{', 'resource', '==', 'C', '::', name, '}'] : []), ';'],
    ]);
    return fc
      .array(blank, { minLength: words.length, maxLength: words.length })
      .map((blanks) => words.map((word, index) => `${word}${wordy(word) ? ' ' : ''}${blanks[index] ?? ''}`).join(''));
  });

const wordy = (word: string): boolean => /^\w+$/.test(word);

test('what Cedar takes, we take apart as it does', () => {
  const seen = { taken: 0, refused: 0 };
  const property = fc.property(text, (policies) => {
    const theirs = cedar.policySetTextToParts(policies);
    if (theirs.type === 'failure') {
      seen.refused++;
      return;
    }
    seen.taken++;
    const ours = statements(policies);
    if ('message' in ours) return;
    assert.equal(ours.length, theirs.policies.length);
    for (const statement of ours) {
      const read = cedar.policyToJson(statement.text);
      if (read.type === 'failure') assert.fail(read.errors.map((error) => error.message).join());
      const spelled = (uids: readonly { type: string; id: string }[]) => uids.map(({ type, id }) => `${type} ${id}`);
      assert.deepEqual(new Set(spelled(literals(statement.tokens))), new Set(spelled(entitiesOf(read.json))));
    }
  });
  fc.assert(property, { numRuns: 3000 });
  // A generator that Cedar always refuses would find nothing.
  assert.ok(Math.min(seen.taken, seen.refused) > 300, JSON.stringify(seen));
});

test('a string stands for what Cedar makes of it, or for nothing', () => {
  const seen = { value: 0, none: 0 };
  const property = fc.property(quoted, (written) => {
    const tokens = tokenize(written);
    const [token, ...more] = 'message' in tokens ? [] : tokens;
    const read = cedar.policyToJson(`permit (principal, action, resource) when { context == ${written} };`);
    if (read.type === 'failure') {
      seen.none++;
      return;
    }
    seen.value++;
    assert.equal(more.length, 0);
    assert.ok(token);
    const body = read.json.conditions[0]?.body as { '=='?: { right?: { Value?: unknown } } };
    assert.equal(stringValue(token), body['==']?.right?.Value);
  });
  fc.assert(property, { numRuns: 3000 });
  assert.ok(Math.min(seen.value, seen.none) > 200, JSON.stringify(seen));
});
