import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Refusal } from '../../../src/base/outcome.ts';
import { normalTargetUri } from '../../../src/http/target-uri.ts';
import type { TaskContext } from '../../../src/task/model.ts';
import { UnverifiedJws } from '../../../src/token/jws.ts';
import { LEEWAY_SECONDS } from '../../../src/token/jws-claims.ts';
import { TokenFault } from '../../../src/token/jws-fault.ts';
import { TokenVerifier, type VerifiedJws, verifyProof } from '../../../src/token/verifier.ts';
import {
  AGENT,
  agentAccess,
  agentSvid,
  agentTxn,
  INVOICES,
  keySetOf,
  keys,
  NOW,
  ORCHESTRATOR,
  readWhy,
  TARGET_URI,
} from '../task-world.ts';
import { dpopProof, type Mutation, mint, thumbprint, wit, wpt } from '../tokens.ts';
import { jsonPieces, mutatedText, uriPieces } from './mutations.ts';
import { type Parser, parser } from './parser.ts';
import { mutatedTree } from './tree.ts';

const tokenPieces = ['.', '=', '-', '_', '+', '/', 'A', 'e30', ' '];
const proofFrame = { key: keys.agent, now: NOW, method: 'GET', uri: TARGET_URI };
const proof = dpopProof(proofFrame);
const txn = agentTxn();
const boundToKey = agentAccess({ claims: { cnf: { jkt: thumbprint(keys.agent) } } });
const identity = wit({ key: keys.wit, now: NOW, sub: AGENT, holder: keys.agent });

/** Tokens whose claims and header were edited before their issuer signed them. */
const edited = (token: string): fc.Arbitrary<Mutation> => {
  const [header, payload] = token
    .split('.')
    .slice(0, 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString()));
  return fc.record({
    headerText: fc.oneof(
      { weight: 4, arbitrary: fc.constant(JSON.stringify(header)) },
      { weight: 1, arbitrary: mutatedTree([header]).map(textOf) },
    ),
    payloadText: fc.oneof(
      { weight: 8, arbitrary: mutatedTree([payload, ...handedOn(payload)]).map(textOf) },
      { weight: 1, arbitrary: mutatedText([JSON.stringify(payload)], jsonPieces) },
    ),
  });
};
const textOf = (tree: unknown): string => JSON.stringify(tree) ?? '';
const handedOn = (payload: object): object[] => [
  { ...payload, sub: ORCHESTRATOR, act: { sub: AGENT } },
  { ...payload, sub: 'user:4711', act: { sub: AGENT, act: { sub: ORCHESTRATOR } } },
  { ...payload, cnf: { jkt: thumbprint(keys.agent) } },
  {
    ...payload,
    tctx: { purpose: 'reconcile-invoices', resources: [{ api: INVOICES, parameters: { invoice: '42' } }] },
  },
  {
    ...payload,
    authorization_details: [{ type: 'invoice', identifier: 42, locations: ['https://payments.internal'] }],
  },
];

/** Shared by all inputs: what it remembers of one must not make another good. */
const tokens = new TokenVerifier();
const ttsKeys = keySetOf(keys.tts);

/** What the stage that reads tasks makes of headers. */
const ofTask = <I>(
  name: string,
  inputs: fc.Arbitrary<I>,
  headers: (input: I) => Readonly<Record<string, string>>,
  judge: (why: TaskContext | Refusal) => boolean,
): Parser => parser(name, inputs, (input) => readWhy({ headers: headers(input) }), judge);

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const overTxn = { ...proofFrame, wit: identity, txnToken: txn };
const byWimse = (token: string, mutation?: Mutation) => ({
  'txn-token': txn,
  'workload-identity-token': token,
  'workload-proof-token': wpt({ ...overTxn, wit: token }, mutation),
});

/** What reads tokens, proofs and tasks. */
export const taskParsers: readonly Parser[] = [
  parser(
    'token',
    mutatedText([txn, agentAccess(), agentSvid()], tokenPieces),
    async (text) => {
      const token = tokens.read(text);
      if (token instanceof TokenFault) return token;
      return await tokens.verify(token, { types: ['txntoken+jwt'], algorithms: ['ES256'] }, ttsKeys, NOW);
    },
    (verified, text) => isToken(verified, text, txn),
  ),
  parser(
    'token with its own key',
    mutatedText([proof], tokenPieces),
    async (text) => {
      const token = UnverifiedJws.decodeUnverified(text);
      if (token instanceof TokenFault) return token;
      return await verifyProof(token, { types: ['dpop+jwt'], algorithms: ['ES256'] }, 'its own key');
    },
    (verified, text) => isToken(verified, text, proof),
  ),
  ofTask(
    'Transaction Token',
    edited(txn),
    (mutation) => ({ 'txn-token': agentTxn(mutation) }),
    (why) => isTask(why, 2),
  ),
  ofTask('access token', edited(agentAccess()), (mutation) => bearer(agentAccess(mutation)), mayBeTask(2)),
  ofTask('JWT-SVID with a task', edited(agentSvid()), (mutation) => bearer(agentSvid(mutation)), mayBeTask(2)),
  ofTask(
    'DPoP proof',
    edited(dpopProof({ ...proofFrame, accessToken: boundToKey })),
    (mutation) => {
      const dpop = dpopProof({ ...proofFrame, accessToken: boundToKey }, mutation);
      return { authorization: `DPoP ${boundToKey}`, dpop };
    },
    isProven,
  ),
  ofTask('workload proof', edited(wpt(overTxn)), (mutation) => byWimse(identity, mutation), isProven),
  ofTask(
    'workload identity token',
    edited(identity),
    (mutation) => byWimse(wit({ key: keys.wit, now: NOW, sub: AGENT, holder: keys.agent }, mutation)),
    isProven,
  ),
  parser(
    'headers of tasks',
    fc.dictionary(
      fc.constantFrom(
        'txn-token',
        'authorization',
        'dpop',
        'workload-identity-token',
        'workload-proof-token',
        'x-task-id',
        'x-task-purpose',
      ),
      fc.oneof(
        mutatedText(
          [txn, proof, identity, `Bearer ${boundToKey}`, `DPoP ${boundToKey}`, 't-42'],
          [...tokenPieces, ','],
        ),
        mutatedTree([{ typ: 'dpop+jwt', alg: 'ES256' }]).map((header) =>
          mint(keys.agent, {}, {}, { headerText: textOf(header) }),
        ),
      ),
      { maxKeys: 4 },
    ),
    (headers) => readWhy({ headers }),
    mayBeTask(3),
  ),
  parser(
    'target URI',
    mutatedText(['https://payments.internal/api/invoices/42?x=1#y', 'HTTP://A:80'], uriPieces),
    normalTargetUri,
    (normal) => {
      if (normal === null) return false;
      assert.equal(normalTargetUri(normal), normal, 'the normal form is its own');
      const [scheme = '', , authority = ''] = normal.split('/');
      assert.equal(scheme + authority, (scheme + authority).toLowerCase());
      return true;
    },
  ),
];

/** Nothing verifies but the very text that was signed. */
function isToken(verified: VerifiedJws | TokenFault, text: string, signed: string): boolean {
  if (verified instanceof TokenFault) return false;
  assert.equal(text, signed);
  return true;
}

/** Whatever a token says, the caller ends the chain, and assurance is no more than its kind can give. */
function isTask(why: TaskContext | Refusal, most: number): boolean {
  if (why instanceof Refusal) return false;
  assert.ok(why.task !== null && why.task.assurance <= most);
  assert.equal(why.chain.at(-1)?.id.text, AGENT);
  assert.ok((why.task.expiresAt + LEEWAY_SECONDS) * 1000 > NOW);
  return true;
}

/** A token of an issuer that states no task is none of ours. */
function mayBeTask(most: number) {
  return (why: TaskContext | Refusal): boolean => !(why instanceof Refusal) && (why.task === null || isTask(why, most));
}

function isProven(why: TaskContext | Refusal): boolean {
  return isTask(why, 3) && !(why instanceof Refusal) && why.redemptions.length > 0;
}
