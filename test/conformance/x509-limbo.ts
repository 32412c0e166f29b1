import { Refusal } from '../../src/base/outcome.ts';
import { checkLeaf } from '../../src/trust/x509-svid.ts';
import { Certificate } from '../../src/x509/certificate.ts';
import { validatePath } from '../../src/x509/path.ts';
import { type CorpusResult, hasCorpus } from '../support/corpora.ts';
import { certificateOf, certificatesOf, readCorpus, readExceptions } from '../support/x509-chains.ts';

interface LimboCase {
  readonly id: string;
  readonly peer_certificate: string;
  readonly untrusted_intermediates: readonly string[];
  readonly trusted_certs: readonly string[];
  readonly validation_time: string | null;
  readonly validation_kind: 'CLIENT' | 'SERVER';
  readonly max_chain_depth: number | null;
}

type Expected = 'SUCCESS' | 'FAILURE';
type Tiers = Readonly<Record<string, readonly { readonly id: string; readonly expected: Expected }[]>>;

interface Exceptions {
  /** Cases that are about a path alone and whose leaf is an authority. */
  readonly belowLeafRules: Readonly<Record<string, string>>;
  /** Valid chains that are refused, with the reason. There is no list of invalid ones that are accepted. */
  readonly stricter: Readonly<Record<string, string>>;
}

/** For cases without a time of their own: their certificates are valid for a thousand years. */
const SOME_DAY = Date.UTC(2026, 10, 25);

/** Path validation below the SPIFFE ID. Tiers T1 and T2 are gates, T3 is only counted. */
export function run(): CorpusResult {
  if (!hasCorpus('x509-limbo')) return { passed: 0, failures: [], excepted: 0, note: 'SKIPPED' };
  const { testcases } = readCorpus<{ testcases: readonly LimboCase[] }>('x509-limbo', 'limbo.json');
  const cases = new Map(testcases.map((one) => [one.id, one]));
  const tiers = Object.entries(readCorpus<Tiers>('x509-limbo', 'tiers.json'));
  const { belowLeafRules, stricter } = readExceptions<Exceptions>('x509-limbo');
  const inTier = (prefix: string) => tiers.filter(([name]) => name.startsWith(prefix)).flatMap(([, list]) => list);
  const judge = (id: string): Expected => {
    const refused = validate(cases.get(id)!, !(id in belowLeafRules)) instanceof Refusal;
    return refused ? 'FAILURE' : 'SUCCESS';
  };

  const failures: string[] = [];
  let passed = 0;
  let excepted = 0;
  for (const { id, expected } of [...inTier('T1'), ...inTier('T2')]) {
    const got = judge(id);
    if (got === expected && id in stricter) failures.push(`${id}: an exception is written down, but it passes`);
    else if (got === expected) passed++;
    else if (got === 'FAILURE' && id in stricter) excepted++;
    else failures.push(`${id}: expected ${expected}, got ${got}`);
  }
  const pedantic = inTier('T3');
  const asAsked = pedantic.filter(({ id, expected }) => judge(id) === expected).length;
  return { passed, failures, excepted, note: `T3, not a gate: ${asAsked} of ${pedantic.length} as asked` };
}

function validate(one: LimboCase, leafRules: boolean): unknown {
  const leaf = certificateOf(one.peer_certificate);
  if (!(leaf instanceof Certificate)) return leaf;
  const fault = leafRules ? checkLeaf(leaf, false) : null;
  if (fault !== null) return fault;
  const now = one.validation_time === null ? SOME_DAY : Date.parse(one.validation_time);
  return validatePath(leaf, certificatesOf(one.untrusted_intermediates), certificatesOf(one.trusted_certs), now, {
    usage: one.validation_kind === 'CLIENT' ? 'client' : 'server',
    ...(one.max_chain_depth === null ? {} : { maxDepth: one.max_chain_depth }),
  });
}
