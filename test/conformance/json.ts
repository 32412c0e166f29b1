import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../../src/base/fault.ts';
import { decodeUtf8, parseExactJson, parseStrictJsonBytes } from '../../src/base/strict-json.ts';
import { UnverifiedJws } from '../../src/token/jws.ts';
import { TokenFault } from '../../src/token/jws-fault.ts';
import { parseJwks } from '../../src/token/key-set.ts';
import { parseBundleFile } from '../../src/trust/bundle-document.ts';
import { type CorpusResult, corporaDir } from '../support/corpora.ts';

/** Accepted by the grammar of RFC 8259, refused here since RFC 7493 section 2.3 leaves no reading of them. */
const repeatedMembers = new Set(['y_object_duplicated_key.json', 'y_object_duplicated_key_and_value.json']);
const header = Buffer.from('{"alg":"ES256"}').toString('base64url');

/** Every place of this part that reads JSON: true when it took the bytes for JSON. */
const readers: Readonly<Record<string, (bytes: Buffer) => boolean>> = {
  'strict JSON': (bytes) => !(parseStrictJsonBytes(bytes) instanceof Fault),
  'exact JSON': (bytes) => {
    const text = decodeUtf8(bytes);
    return !(text instanceof Fault) && !(parseExactJson(text) instanceof Fault);
  },
  'a token': (bytes) => !(decodeToken(header, bytes.toString('base64url')) instanceof TokenFault),
  'a token header': (bytes) => !(decodeToken(bytes.toString('base64url'), 'e30') instanceof TokenFault),
  'a JWKS': (bytes) => !(parseJwks(bytes) instanceof Fault),
  'a bundle': (bytes) => {
    const text = decodeUtf8(bytes);
    return !(text instanceof Fault) && !(parseBundleFile('example.org', text) instanceof Fault);
  },
};
const decodeToken = (head: string, payload: string) => UnverifiedJws.decodeUnverified(`${head}.${payload}.AA`);

/**
 * JSONTestSuite: what must be refused is refused wherever JSON is read; what must be accepted is read as JSON.parse reads
 * it, save repeated members; what is up to the parser is recorded.
 */
export function run(): CorpusResult {
  const folder = join(corporaDir, 'json', 'test_parsing');
  const failures: string[] = [];
  let passed = 0;
  let excepted = 0;
  let free = 0;
  let freeAccepted = 0;
  for (const name of readdirSync(folder)) {
    const bytes = readFileSync(join(folder, name));
    if (name.startsWith('i_')) {
      free++;
      if (!(parseStrictJsonBytes(bytes) instanceof Fault)) freeAccepted++;
      continue;
    }
    const wrong = name.startsWith('n_') ? acceptedBy(bytes) : misread(bytes);
    if (wrong === null) passed++;
    else if (repeatedMembers.has(name)) excepted++;
    else failures.push(`${name}: ${wrong}`);
  }
  return { passed, failures, excepted, note: `of ${free} that are up to the parser, ${freeAccepted} accepted` };
}

function acceptedBy(bytes: Buffer): string | null {
  const lenient = Object.keys(readers).filter((name) => readers[name]?.(bytes));
  return lenient.length === 0 ? null : `accepted as ${lenient.join(', ')}`;
}

function misread(bytes: Buffer): string | null {
  const value = parseStrictJsonBytes(bytes);
  if (value instanceof Fault) return value.detail;
  const same = JSON.stringify(value) === JSON.stringify(JSON.parse(bytes.toString('utf8')));
  return same ? null : 'read as something else than JSON.parse reads';
}
