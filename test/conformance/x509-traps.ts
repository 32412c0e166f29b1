import { Refusal } from '../../src/base/outcome.ts';
import { type CorpusResult, hasCorpus } from '../support/corpora.ts';
import { type Chain, readCorpus, readExceptions, verifyChain } from '../support/x509-chains.ts';

type Expected = 'SUCCESS' | 'FAILURE';

interface Trap extends Chain {
  readonly expected: Expected | 'EITHER';
}

/** What docs/certificates.md chooses where the corpus leaves the choice. */
type Choices = Readonly<Record<string, Expected>>;

/** Hand-made chains against the whole of X.509-SVID verification; each EITHER is pinned to a choice. */
export function run(): CorpusResult {
  if (!hasCorpus('x509-traps')) return { passed: 0, failures: [], excepted: 0, note: 'SKIPPED' };
  const { cases } = readCorpus<{ cases: readonly Trap[] }>('x509-traps', 'traps.json');
  const choices = readExceptions<Choices>('x509-traps');
  const failures: string[] = [];
  for (const trap of cases) {
    const expected = trap.expected === 'EITHER' ? choices[trap.id] : trap.expected;
    const got = verifyChain(trap);
    const result: Expected = got instanceof Refusal ? 'FAILURE' : 'SUCCESS';
    const why = got instanceof Refusal ? ` (${got.reason}: ${got.detail})` : '';
    if (result !== expected)
      failures.push(`${trap.id}: expected ${expected ?? 'a written choice'}, got ${result}${why}`);
  }
  const free = cases.filter((trap) => trap.expected === 'EITHER').map((trap) => trap.id);
  const idle = Object.keys(choices).filter((id) => !free.includes(id));
  failures.push(...idle.map((id) => `${id}: a choice is written down, but there is none to make`));
  return {
    passed: cases.length + idle.length - failures.length,
    failures,
    excepted: 0,
    note: `${free.length} by choice`,
  };
}
