import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  AGENT,
  CERTIFICATE,
  INVOICES,
  keys,
  ORCHESTRATOR,
  options,
  refusal,
  THIEF,
  taskContext,
} from '../../test/support/task-world.ts';
import { mint, type SigningKey, sha256, thumbprint } from '../../test/support/tokens.ts';
import { isConfig, loadConfig } from '../config/load.ts';
import type { IssuerScope } from './options.ts';

const page = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'tasks.md'), 'utf8');
const blocks = [...page.matchAll(/^```(\w+)(?: (.*))?\n([\s\S]*?)^```$/gm)].map(
  ([, language, info = '', text = '']) => ({
    language,
    words: info.split(' '),
    text,
  }),
);

interface Example {
  readonly header: Record<string, unknown>;
  readonly claims: Record<string, unknown>;
}

const signers: Readonly<Record<string, SigningKey>> = {
  'txn-token': keys.tts,
  'access-token': keys.as,
  'jwt-svid': keys.domain,
  dpop: keys.agent,
  'workload-identity-token': keys.wit,
  'workload-proof-token': keys.agent,
};

/** The token of a block. What stands in angle brackets there is known only at run time. */
function minted(kind: string, text: string, known: Readonly<Record<string, unknown>>): string {
  const { header, claims } = JSON.parse(text, (_, value) =>
    typeof value === 'string' && value.startsWith('<') ? (known[value] ?? assert.fail(value)) : value,
  ) as Example;
  const key = signers[kind] ?? assert.fail(kind);
  return mint(key, { kid: undefined, ...header }, claims);
}

const always = {
  '<certificate>': CERTIFICATE,
  '<jkt>': thumbprint(keys.agent),
  '<jwk>': keys.agent.publicJwk,
  '<jwk with alg>': { ...keys.agent.publicJwk, alg: 'ES256' },
};
const proofs = ['dpop', 'workload-identity-token', 'workload-proof-token'];
const json = blocks.filter(({ language }) => language === 'json');
const tokens = json.filter(({ words }) => !proofs.includes(words[0]!));

for (const block of tokens) {
  const [kind = '', assurance = '', ...settings] = block.words;
  const setting = (name: string) => settings.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
  const behind = json.slice(json.indexOf(block) + 1);
  const others = behind.slice(0, behind.findIndex((next) => tokens.includes(next)) >>> 0);

  test(`docs/tasks.md: example ${tokens.indexOf(block) + 1}, a ${kind}, has assurance ${assurance}`, async () => {
    const token = minted(kind, block.text, always);
    const headers: Record<string, string> = {};
    if (kind === 'txn-token') headers['txn-token'] = token;
    else headers.authorization = `${setting('scheme') ?? 'Bearer'} ${token}`;
    const known: Record<string, unknown> = { ...always, '<hash of the token>': sha256(token) };
    for (const { words, text } of others) {
      const proof = minted(words[0]!, text, known);
      known['<hash of the WIT>'] ??= sha256(proof);
      headers[words[0]!] = proof;
    }
    const { task, chain, redemptions } = await taskContext({ headers });
    assert.equal(String(task?.assurance), assurance);
    assert.equal(task?.id, 't-42');
    assert.equal(task?.purpose, 'reconcile-invoices');
    const invoice = setting('about');
    assert.deepEqual(task?.resources, invoice === undefined ? null : [{ api: INVOICES, parameters: { invoice } }]);
    assert.equal(redemptions.length, assurance === '3' ? 1 : 0);
    const names = setting('chain')?.split(',') ?? ['billing-agent'];
    assert.deepEqual(
      chain.map(({ id }) => id.path.split('/').at(-1)),
      names,
    );
    const stolen = await refusal({ headers, caller: THIEF, thumbprint: sha256('thief') });
    assert.match(stolen.reason, /^task_(of_another|token_binding|wit_of_another)$/);
  });
}

test('docs/tasks.md shows every kind of token and proof', () => {
  const shown = new Set(json.map(({ words }) => words[0]));
  assert.deepEqual([...shown].toSorted(), Object.keys(signers).toSorted());
  assert.ok(tokens.length >= 7);
});

test('docs/tasks.md: the configuration loads, and is the one that the examples are judged by', () => {
  const yaml = blocks.find(({ language }) => language === 'yaml')?.text ?? '';
  const identity = 'identity: { trustDomains: { prod.example: { local: true, bundle: { file: ./prod.pem } } } }\n';
  const config = loadConfig(identity + yaml, '/etc/authz/config.yaml', {});
  assert.ok(isConfig(config), JSON.stringify(config));
  const limits = ({
    trustDomains,
    purposes,
    maxAssurance,
    propagation,
    unsafeBearer,
  }: Omit<IssuerScope, 'maxLifetimeSeconds'>) => ({
    trustDomains,
    purposes,
    maxAssurance,
    propagation,
    unsafeBearer,
  });
  assert.equal(config.task.issuers.length, options.issuers.length);
  for (const [index, issuer] of config.task.issuers.entries()) {
    const judgedBy = options.issuers[index]!;
    assert.deepEqual({ kind: issuer.kind, ...limits(issuer) }, { kind: judgedBy.kind, ...limits(judgedBy) });
    assert.equal(issuer.maxLifetimeMs, judgedBy.maxLifetimeSeconds * 1000);
    assert.deepEqual(issuer.purposeClaim, judgedBy.purposeClaim);
    assert.deepEqual(issuer.resources, judgedBy.resources);
    if (issuer.kind !== 'jwt-svid' && judgedBy.kind !== 'jwt-svid') assert.equal(issuer.issuer, judgedBy.issuer);
    if (issuer.kind !== 'txn-token' && judgedBy.kind !== 'txn-token')
      assert.deepEqual(issuer.idClaim, judgedBy.idClaim);
  }
  assert.ok(config.task.wimse !== null);
  assert.ok(page.includes(AGENT) && page.includes(ORCHESTRATOR));
});
