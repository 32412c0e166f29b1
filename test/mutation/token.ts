import { type Condition, weakenedGuards } from './mutants.ts';
import { root, runMutation } from './run.ts';

/**
 * Does each check of the reading, verifying and remembering of tokens have a test? In a copy of the sources, one guard
 * after another is deleted, and one condition after another is weakened; the tests must notice.
 */

const sources = [
  'src/base/bounded-memory.ts',
  'src/http/credentials.ts',
  'src/token/verifier.ts',
  'src/token/jws-compact.ts',
  'src/identity/credentials.ts',
  'src/identity/jwt-authorities.ts',
  'src/identity/waypoint.ts',
];

const tests = [
  'src/base/bounded-memory.test.ts',
  'src/token/verifier.test.ts',
  'src/token/jws.test.ts',
  'src/identity/credentials.test.ts',
  'src/identity/jwt-svid.test.ts',
  'src/identity/jwt-authorities.test.ts',
  'src/identity/waypoint.test.ts',
  'src/envoy/request.test.ts',
  'src/task/txn-token.test.ts',
  'src/task/wimse.test.ts',
  'test/cases/token-memory.test.ts',
  'test/cases/waypoint.test.ts',
];

const conditions: readonly Condition[] = [
  ['waypoint.ts', " || source.certificate !== ''", ''],
  ['waypoint.ts', " || source.principal !== ''", ''],
  ['waypoint.ts', '[cert, chain, hash, subject]', '[chain, hash, subject]'],
  ['waypoint.ts', '[cert, chain, hash, subject]', '[cert, hash, subject]'],
  ['waypoint.ts', '[cert, chain, hash, subject]', '[cert, chain, subject]'],
  ['waypoint.ts', '[cert, chain, hash, subject]', '[cert, chain, hash]'],
  ['waypoint.ts', ' || dns.length > 0', ''],
  ['waypoint.ts', 'by.length > 1 || ', ''],
  ['waypoint.ts', 'trustedProxies.has(id.text) || ', ''],
  ['waypoint.ts', ' || waypoints.has(id.text)', ''],
  ['bounded-memory.ts', 'this.#bytes -= entry.bytes;', ''],
  ['bounded-memory.ts', '    this.delete(key);\n', ''],
  ['verifier.ts', 'good.keys === keys && ', ''],
  ['verifier.ts', ' && nowMs < endOf(good.outcome)', ''],
  ['verifier.ts', 'bad?.keys === keys ? bad.outcome : null', 'bad?.outcome ?? null'],
  ['verifier.ts', ' && nowMs < endOf(outcome)', ''],
  ['verifier.ts', 'if (lives) this.#good', 'if (true) this.#good'],
  ['verifier.ts', 'forGood.has(fault.kind) && ', ''],
  ['verifier.ts', 'Buffer.from(text).toString()', 'text'],
  ['verifier.ts', 'byteLimit - bad', 'byteLimit'],
  ['verifier.ts', 'sum + MEMBER_BYTES + beyondText(each)', 'sum + beyondText(each)'],
  ['verifier.ts', ' + beyondText(unverifiedClaims)', ''],
  [
    'verifier.ts',
    'token.embeddedJwk === null ? allowedAlgorithm(token.header, profile) : ownKey()',
    'allowedAlgorithm(token.header, profile)',
  ],
  ['verifier.ts', 'by instanceof PublicJwk && proof.embeddedJwk !== null', 'false'],
  ['jws-compact.ts', '!key.supports(algorithm)', 'false'],
  ['http/credentials.ts', ' || headers.unclean.has(name)', ''],
  ['http/credentials.ts', 'values.length > 1 || ', ''],
  ['http/credentials.ts', "value.slice(value.indexOf(' ') + 1).trim()", "value.slice(value.indexOf(' ') + 1)"],
  ['jwt-authorities.ts', 'known?.revision === revision', 'known !== undefined'],
];

process.exitCode = await runMutation({
  name: 'token',
  mutants: sources.flatMap((file) => weakenedGuards(root, file, conditions)),
  conditions,
  tests,
  near: (file) => tests.filter((test) => test === file.replace(/\.ts$/, '.test.ts')),
  explained: {
    // A fault has no `alg`, and is refused as a header without one.
    'token/jws-compact.ts: if (members instanceof TokenFault) return members;': 'the next check refuses it too',
  },
});
