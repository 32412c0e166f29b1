import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type Issued, urlEncodedPem } from '../support/ca.ts';
import { at, type Entry, revocationFile, revokingWorld, rewrite } from '../support/revoking.ts';
import { AUTHZ, servingTls, writePair } from '../support/tls-world.ts';
import { type Ask, type World, workload } from '../support/world.ts';
import { bearer, EXPORT, GATEWAY, INVOICE, LEDGER, ledgerReads, READER, svidToken } from '../support/world-asks.ts';

/**
 * Revocations of whoever carries a request without being its caller: the Envoy that asks, over mutual TLS and gRPC, and the
 * proxies that it came through. Each beside the same request with nothing revoked.
 */

const ENVOY = '/ns/payments/sa/envoy';
const EDGE = '/ns/edge/sa/edge';
/** Who owns them, and nobody else. */
const TEAMS: Readonly<Record<string, string>> = { [ENVOY]: 'envoys', [GATEWAY]: 'gateways', [EDGE]: 'edges' };
const MINUTE_MS = 60_000;

let world: World;

before(async () => {
  world = await revokingWorld(
    revocationFile([]),
    (config) => {
      servingTls({ peers: [workload(ENVOY)] })(config);
      const { identity } = config as unknown as { identity: Record<string, Record<string, unknown>> };
      const proxy = (path: string) => ({ id: workload(path), mode: 'append-forward' });
      Object.assign(identity.forwarded!, {
        mode: 'append-forward',
        hop: 2,
        trustedProxies: [proxy(GATEWAY), proxy(EDGE)],
      });
    },
    (folder, keys) => {
      writePair(folder, keys.ca.svid(AUTHZ));
      const inventory = join(folder, 'inventory.yaml');
      const listed = Object.entries(TEAMS).map(
        ([path, owner]) => `  - { id: '${workload(path)}', owner: ${owner}, kind: service, relay: false }\n`,
      );
      const text = readFileSync(inventory, 'utf8').replace('teams: [', `teams: [${Object.values(TEAMS).join(', ')}, `);
      writeFileSync(inventory, text.replace('workloads:\n', `workloads:\n${listed.join('')}`));
    },
  );
});
after(() => world?.stop());

const fingerprint = ({ thumbprint }: Issued): string =>
  `sha256:${Buffer.from(thumbprint, 'base64url').toString('hex')}`;

/** The reason of the answer to an Envoy that shows this certificate. */
async function reasonFor(ask: Ask, envoy: Issued = world.svid(ENVOY)): Promise<string> {
  const port = world.as(envoy);
  try {
    return (await port.send(ask)).reason;
  } finally {
    port.close();
  }
}

const apply = (...entries: readonly Entry[]): Promise<void> => rewrite(world, revocationFile(entries));

/** The ledger's request through two proxies, each of which writes whom it saw. */
function throughProxies({ edge = world.svid(EDGE), gateway = world.svid(GATEWAY) } = {}): Ask {
  const seen = [world.svid(LEDGER), edge, gateway].map((one) => `Cert="${urlEncodedPem(one)}"`);
  return { svid: gateway, path: INVOICE, headers: { 'x-forwarded-client-cert': seen.join(',') } };
}

interface Carrier {
  readonly what: string;
  readonly path: string;
  /** The reason of a request that it carries, with this certificate. */
  readonly reason: (shown?: Issued) => Promise<string>;
}

const carriers: readonly Carrier[] = [
  { what: 'the Envoy that asks', path: ENVOY, reason: (shown) => reasonFor(ledgerReads()(world), shown) },
  {
    what: 'the proxy that connected to it',
    path: GATEWAY,
    reason: (gateway) => reasonFor(throughProxies({ ...(gateway && { gateway }) })),
  },
  {
    what: 'a proxy before that one',
    path: EDGE,
    reason: (edge) => reasonFor(throughProxies({ ...(edge && { edge }) })),
  },
];

for (const { what, path, reason } of carriers) {
  suite(what, () => {
    test('is refused by its SPIFFE ID, a prefix of it, and its team, and carries requests as long as it is not', async () => {
      await apply({ workload: workload('/ns/payments/sa/another') });
      assert.equal(await reason(), 'permitted');
      for (const [entry, refused] of [
        [{ workload: workload(path) }, 'revoked_workload'],
        [{ under: workload(path) }, 'revoked_workload'],
        [{ owner: TEAMS[path] }, 'revoked_owner'],
      ] as const) {
        await apply(entry);
        assert.equal(await reason(), refused, JSON.stringify(entry));
      }
    });

    test('is refused by its certificate, and carries requests with another one', async () => {
      const shown = world.svid(path);
      await apply({ certificate: fingerprint(shown) });
      assert.equal(await reason(shown), 'revoked_certificate');
      assert.equal(await reason(), 'permitted');
    });

    test('works again with a certificate of after the moment', async () => {
      const moment = Date.now() - 10 * MINUTE_MS;
      const issued = (ms: number) => world.svid(path, { notBefore: ms });
      await apply({ workload: workload(path), issuedUpTo: at(moment) });
      assert.equal(await reason(issued(moment - MINUTE_MS)), 'revoked_workload');
      assert.equal(await reason(issued(moment + MINUTE_MS)), 'permitted');
    });
  });
}

suite('a token beside a certificate', () => {
  const LIFE = 600;
  const both = (claims: Readonly<Record<string, unknown>> = {}): Ask => ({
    svid: world.svid(READER),
    path: EXPORT,
    headers: bearer(svidToken(world, READER, { claims })),
  });

  test('is found by its digest, as it is where it stands alone', async () => {
    await apply();
    const ask = both();
    const token = { ...ask, svid: null };
    const port = world.as(world.svid(ENVOY));
    const { audit, reason } = await port.send(token);
    assert.equal(reason, 'permitted');
    await apply({ token: { digest: (audit.caller as unknown as { fingerprint: string }).fingerprint } });
    assert.equal((await port.send(token)).reason, 'revoked_token');
    assert.equal((await port.send(ask)).reason, 'revoked_token');
    assert.equal((await port.send(both({ jti: 'another' }))).reason, 'permitted');
    port.close();
  });

  test('must be as new as the certificate', async () => {
    const now = Math.floor(Date.now() / 1000);
    await apply({ workload: workload(READER), issuedUpTo: at((now - LIFE / 2) * 1000) });
    const dated = (iat: number | undefined) => both({ iat, exp: now + 200 });
    const fresh = { ...dated(now), svid: world.svid(READER, { notBefore: (now - 60) * 1000 }) };
    assert.equal(await reasonFor(fresh), 'permitted');
    assert.equal(await reasonFor({ ...fresh, headers: dated(now - LIFE).headers! }), 'revoked_workload');
    assert.equal(await reasonFor({ ...fresh, headers: dated(undefined).headers! }), 'revoked_workload', 'no iat');
  });
});
