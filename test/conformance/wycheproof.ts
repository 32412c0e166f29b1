import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { JsonValue } from '../../src/base/strict-json.ts';
import { standardAlgorithms } from '../../src/token/jws-algorithms.ts';
import { allowedAlgorithm, decodeUnverifiedCompact, type JwsProfile, signingKey } from '../../src/token/jws-compact.ts';
import { TokenFault } from '../../src/token/jws-fault.ts';
import { KeySet } from '../../src/token/key-set.ts';
import { type CorpusResult, corporaDir } from '../support/corpora.ts';

interface Group {
  readonly comment: string;
  readonly public?: JsonValue;
  readonly private: JsonValue;
  readonly tests: readonly {
    readonly tcId: number;
    readonly comment: string;
    readonly jws?: unknown;
    readonly result: string;
  }[];
}

/** The JWS vectors, the JWK vectors, and of the JWCrypto vectors those that are signatures. */
const files = { jws: 'json_web_signature_test', jwk: 'json_web_key_test', crypto: 'json_web_crypto_test' } as const;
const profile: JwsProfile = { algorithms: standardAlgorithms, types: [null, 'jwt'] };

/**
 * Wycheproof at the seam that every token passes: reading, key selection and signature, below the claims (most of its
 * payloads are not JSON). An invalid case that is accepted fails. A valid one that is refused must stand, with its reason,
 * in exceptions/wycheproof.json, and whatever stands there must still be refused.
 */
export async function run(): Promise<CorpusResult> {
  const exceptions = readExceptions();
  const failures: string[] = [];
  let passed = 0;
  let excepted = 0;
  let accepted = 0;
  for (const [name, file] of Object.entries(files)) {
    for (const group of groupsOf(file)) {
      for (const { tcId, comment, jws, result } of group.tests) {
        if (jws === undefined) continue;
        const id = `${name}/${tcId}`;
        const fault = await verdict(group, typeof jws === 'string' ? jws : JSON.stringify(jws));
        const listed = exceptions.delete(id);
        if (fault === null) accepted++;
        if (fault === null && result === 'invalid') failures.push(`${id} (${group.comment}, ${comment}): accepted`);
        else if (fault === null && listed) failures.push(`${id}: accepted, though it is listed as an exception`);
        else if (fault === null || result === 'invalid') passed++;
        else if (listed) excepted++;
        else failures.push(`${id} (${group.comment}, ${comment}): refused: ${fault.kind}, ${fault.detail}`);
      }
    }
  }
  failures.push(...[...exceptions].map((id) => `${id}: excepted, but there is no such case`));
  if (accepted === 0) failures.push('no case was accepted');
  return { passed, failures, excepted, note: `${accepted} accepted` };
}

/** Null when the token is accepted. */
async function verdict(group: Group, token: string): Promise<TokenFault | null> {
  const jws = decodeUnverifiedCompact(token);
  if (jws instanceof TokenFault) return jws;
  const algorithm = allowedAlgorithm(jws.header, profile);
  if (algorithm instanceof TokenFault) return algorithm;
  const keys = KeySet.of(jwksOf(group.public ?? group.private), 'jwks').candidates(jws.header.kid, algorithm);
  if (keys instanceof TokenFault) return keys;
  const key = await signingKey(jws, algorithm, keys);
  return key instanceof TokenFault ? key : null;
}

function jwksOf(value: JsonValue): readonly JsonValue[] {
  const keys = (value as { readonly keys?: readonly JsonValue[] }).keys;
  return keys ?? [value];
}

function groupsOf(file: string): readonly Group[] {
  return JSON.parse(readFileSync(join(corporaDir, 'wycheproof', `${file}.json`), 'utf8')).testGroups;
}

function readExceptions(): Set<string> {
  const file = join(import.meta.dirname, 'exceptions', 'wycheproof.json');
  const lists: Record<string, readonly string[]> = JSON.parse(readFileSync(file, 'utf8'));
  return new Set(Object.values(lists).flat());
}
