import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pemBundle, urlEncodedPem } from '../support/ca.ts';
import { ask } from '../support/client.ts';
import type { Envoy } from '../support/envoy.ts';
import { Estate, exampleIdentity, PAYMENTS, workload } from '../support/estate.ts';
import { type ForwardMode, forwardMode, startProxy } from '../support/proxy.ts';

/** Callers behind proxies: each forward mode of Envoy gives the right identity, or a refusal. */

const LEDGER = '/ns/payments/sa/ledger';
const AGENT = '/ns/agents/sa/billing-agent';
const EDGE = '/ns/edge/sa/ingress';
const GATEWAY = '/ns/edge/sa/gateway';
const path = '/api/invoices/42';

interface Way {
  /** What this Envoy does with the header, and what the sidecar is told. */
  readonly envoy: ForwardMode;
  readonly forwarded: Readonly<Record<string, unknown>>;
  /** Proxies in front, the nearest to this Envoy last. */
  readonly proxies: readonly (readonly [id: string, mode: ForwardMode])[];
}

const trusted = (...proxies: readonly (readonly [id: string, mode: string])[]) =>
  proxies.map(([id, mode]) => ({ id: workload(id), mode }));

/** Plays with the whole way standing; `entry` is the Envoy that clients reach. */
async function standing(way: Way, play: (estate: Estate, entry: Envoy) => Promise<void>): Promise<void> {
  const estate = await Estate.start({
    envoy: 'test-permissive',
    config: { identity: exampleIdentity(way.forwarded) },
    edit: (tree) => forwardMode(tree, way.envoy),
  });
  const proxies: Envoy[] = [];
  try {
    for (const [id, mode] of way.proxies.toReversed()) {
      const next = proxies.at(-1) ?? estate.envoy;
      const bundlePem = pemBundle(estate.ca);
      proxies.push(await startProxy({ dir: estate.base.dir, svid: estate.svid(id), bundlePem, mode, next }));
    }
    await play(estate, proxies.at(-1) ?? estate.envoy);
  } finally {
    for (const proxy of proxies) await proxy.stop();
    await estate.stop();
  }
}

/** The header that would name the ledger, were it believed. The certificate is no secret: its holder shows it to everyone. */
const forged = (estate: Estate): string => {
  const victim = estate.svid(LEDGER);
  const hash = Buffer.from(victim.thumbprint, 'base64url').toString('hex');
  return `Hash=${hash};Cert="${urlEncodedPem(victim)}";URI=${workload(LEDGER)}`;
};

function callerOf(estate: Estate): string | undefined {
  return estate.sidecar.audit().findLast(({ result }) => result !== undefined)?.caller?.id;
}

function send(estate: Estate, entry: Envoy, id: string, xfcc?: string) {
  const headers = xfcc === undefined ? {} : { 'x-forwarded-client-cert': xfcc };
  return ask({ port: entry.port, svid: estate.svid(id), host: PAYMENTS, path, headers });
}

/** The ledger is known through this way, the agent is itself, and a forged header changes nothing. */
async function assertRightIdentity(estate: Estate, entry: Envoy): Promise<void> {
  assert.equal((await send(estate, entry, LEDGER)).status, 200);
  assert.equal(callerOf(estate), workload(LEDGER));
  for (const xfcc of [undefined, forged(estate)]) {
    const { status, reason } = await send(estate, entry, AGENT, xfcc);
    assert.equal(status, 403);
    assert.match(reason ?? '', /^policy_/);
    assert.equal(callerOf(estate), workload(AGENT));
  }
}

describe('x-forwarded-client-cert', () => {
  test('SANITIZE_SET: the peer is the caller, and a forged header is replaced', () =>
    standing({ envoy: 'SANITIZE_SET', forwarded: { mode: 'sanitize-set' }, proxies: [] }, assertRightIdentity));

  test('FORWARD_ONLY, although the sidecar was told otherwise: the peer stays the caller', () =>
    standing({ envoy: 'FORWARD_ONLY', forwarded: { mode: 'sanitize-set' }, proxies: [] }, assertRightIdentity));

  const oneProxy = { mode: 'append-forward', hop: 1, trustedProxies: trusted([EDGE, 'sanitize-set']) };

  test('APPEND_FORWARD behind one trusted proxy: the caller is whom the proxy saw', () =>
    standing({ envoy: 'APPEND_FORWARD', forwarded: oneProxy, proxies: [[EDGE, 'SANITIZE_SET']] }, assertRightIdentity));

  test('APPEND_FORWARD behind a proxy that appends: counting from the right, a forged element is never reached', () =>
    standing(
      {
        envoy: 'APPEND_FORWARD',
        forwarded: { ...oneProxy, trustedProxies: trusted([EDGE, 'append-forward']) },
        proxies: [[EDGE, 'APPEND_FORWARD']],
      },
      assertRightIdentity,
    ));

  test('APPEND_FORWARD behind two trusted proxies: the caller is whom the outer one saw', () =>
    standing(
      {
        envoy: 'APPEND_FORWARD',
        forwarded: {
          mode: 'append-forward',
          hop: 2,
          trustedProxies: trusted([EDGE, 'sanitize-set'], [GATEWAY, 'append-forward']),
        },
        proxies: [
          [EDGE, 'SANITIZE_SET'],
          [GATEWAY, 'APPEND_FORWARD'],
        ],
      },
      assertRightIdentity,
    ));

  test('a proxy that nobody trusts is the caller itself, and speaks for nobody', () =>
    standing(
      { envoy: 'APPEND_FORWARD', forwarded: oneProxy, proxies: [[GATEWAY, 'SANITIZE_SET']] },
      async (estate, entry) => {
        assert.equal((await send(estate, entry, LEDGER)).reason, 'caller_unregistered');
      },
    ));

  test('an untrusted proxy between two trusted ones stops the reading', () =>
    standing(
      {
        envoy: 'APPEND_FORWARD',
        forwarded: { mode: 'append-forward', hop: 2, trustedProxies: trusted([EDGE, 'append-forward']) },
        proxies: [
          [GATEWAY, 'SANITIZE_SET'],
          [EDGE, 'APPEND_FORWARD'],
        ],
      },
      async (estate, entry) => {
        assert.equal((await send(estate, entry, LEDGER)).reason, 'identity_proxy_untrusted');
      },
    ));

  test('a trusted proxy that forwards nothing leaves no caller', () =>
    standing({ envoy: 'APPEND_FORWARD', forwarded: oneProxy, proxies: [[EDGE, 'SANITIZE']] }, async (estate, entry) => {
      assert.equal((await send(estate, entry, LEDGER)).reason, 'identity_token_missing');
    }));

  test('this Envoy in FORWARD_ONLY behind a trusted proxy: the last element is not about the peer', () =>
    standing(
      { envoy: 'FORWARD_ONLY', forwarded: oneProxy, proxies: [[EDGE, 'APPEND_FORWARD']] },
      async (estate, entry) => {
        const { reason } = await send(estate, entry, AGENT, forged(estate));
        assert.equal(reason, 'identity_xfcc_mismatch');
      },
    ));
});
