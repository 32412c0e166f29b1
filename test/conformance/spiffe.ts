import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../src/base/fault.ts';
import { Refusal } from '../../src/base/outcome.ts';
import { SpiffeId } from '../../src/base/spiffe-id.ts';
import type { BundleContent } from '../../src/trust/bundle.ts';
import { parseBundleFile, parseJwtAuthorities } from '../../src/trust/bundle-document.ts';
import { type CorpusResult, corporaDir, hasCorpus } from '../support/corpora.ts';
import { type Chain, readCorpus, readExceptions, verifyChain } from '../support/x509-chains.ts';

interface IdCase {
  readonly id: string;
  readonly ok: boolean;
  readonly why: string;
}

interface BundleCase {
  readonly file: string;
  readonly as: string;
  readonly ok: boolean;
  readonly x509Authorities?: number;
  readonly jwtKeyIds?: readonly string[];
  readonly sequence?: number;
  readonly refreshHint?: string;
}

interface Expectations {
  readonly bundles: readonly BundleCase[];
  readonly svids: readonly (Chain & { readonly expected: 'SUCCESS' | 'FAILURE' })[];
}

/** Bundles that go-spiffe takes and that are refused here, with the reason. */
type Exceptions = Readonly<Record<string, string>>;

/** The fixtures of go-spiffe: ids, bundles and X.509-SVIDs. */
export function run(): CorpusResult {
  if (!hasCorpus('spiffe')) return { passed: 0, failures: [], excepted: 0, note: 'SKIPPED' };
  const { cases: ids } = readCorpus<{ cases: readonly IdCase[] }>('spiffe', 'spiffe-id-cases.json');
  const { bundles, svids } = readCorpus<Expectations>('spiffe', 'expect.json');
  const stricter = readExceptions<Exceptions>('spiffe');
  const failures: string[] = [];
  let excepted = 0;

  for (const { id, ok, why } of ids) {
    if (SpiffeId.parse(id) instanceof SpiffeId !== ok)
      failures.push(`id ${JSON.stringify(id)} (${why}): expected ${ok}`);
  }
  for (const bundle of bundles) {
    const fault = bundleFault(bundle);
    if (fault !== null && bundle.file in stricter) excepted++;
    else if (fault !== null) failures.push(`bundle ${bundle.file}: ${fault}`);
    else if (bundle.file in stricter)
      failures.push(`bundle ${bundle.file}: an exception is written down, but it passes`);
  }
  for (const svid of svids) {
    const got = verifyChain(svid);
    const result = got instanceof Refusal ? 'FAILURE' : 'SUCCESS';
    if (result !== svid.expected) failures.push(`svid ${svid.id}: expected ${svid.expected}, got ${result}`);
  }
  const note = `${ids.length} ids, ${bundles.length} bundles, ${svids.length} SVIDs`;
  return { passed: ids.length + bundles.length + svids.length - failures.length - excepted, failures, excepted, note };
}

/** How a bundle differs from what go-spiffe says of it; null when it does not. */
function bundleFault(expected: BundleCase): string | null {
  const text = readFileSync(join(corporaDir, 'spiffe', expected.file), 'utf8');
  const read = expected.as.startsWith('JWT') ? parseJwtAuthorities(text) : parseBundleFile('example.org', text);
  const content = read instanceof Fault || read === null ? null : read;
  if ((content !== null) !== expected.ok) return `expected ${expected.ok ? 'to be taken' : 'to be refused'}`;
  return content === null ? null : contentFault(expected, content);
}

function contentFault(expected: BundleCase, content: BundleContent): string | null {
  const { x509Authorities = 0, jwtKeyIds = [], sequence, refreshHint } = expected;
  if (content.unreadable.length > 0) return content.unreadable.join('; ');
  if (content.x509Authorities.length !== x509Authorities) return `${content.x509Authorities.length} roots`;
  const kids = content.jwtAuthorities.map(({ kid }) => kid);
  if (kids.sort().join() !== [...jwtKeyIds].sort().join()) return 'other JWT keys';
  if (sequence !== undefined && content.sequence !== BigInt(sequence)) return `sequence ${content.sequence}`;
  const seconds = /^(\d+)m0s$/.exec(refreshHint ?? '')?.[1];
  if (seconds !== undefined && content.refreshSeconds !== Number(seconds) * 60) return 'another refresh hint';
  return null;
}
