import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { bundleDocument, pemBundle, TestCa } from '../support/ca.ts';
import { ask } from '../support/client.ts';
import { connectionManager, startEnvoy } from '../support/envoy.ts';
import { envoyOf, supportedEnvoys } from '../support/envoy-binary.ts';
import { exampleIdentity, PAYMENTS, SidecarEstate, TRUST_DOMAIN } from '../support/estate.ts';
import { SpireEstate } from '../support/spire-estate.ts';

/**
 * A SPIRE server with an upstream authority: its own CA is an intermediate, which comes with each SVID. Envoy takes its
 * certificates by SDS (spire.yaml) and from files (uds.yaml).
 */
for (const version of supportedEnvoys) {
  describe(`SPIRE with an upstream authority, Envoy ${version}`, () => {
    test('its workloads are allowed behind spire.yaml and uds.yaml; without the chain they are refused', async () => {
      const root = TestCa.root(TRUST_DOMAIN, { subject: 'upstream root' });
      const spire = await SpireEstate.start({ spire: { root }, envoyVersion: version });
      const files = await SidecarEstate.start({
        prepare: (dir) => {
          writeFileSync(join(dir, 'upstream.json'), JSON.stringify(bundleDocument([root])));
          const identity = exampleIdentity({ mode: 'sanitize-set' });
          return {
            identity: {
              ...identity,
              trustDomains: { [TRUST_DOMAIN]: { local: true, bundle: { file: './upstream.json' } } },
            },
          };
        },
      });
      try {
        const svid = await spire.ledger.svid();
        assert.ok(svid.pem.split('-----BEGIN ').length > 2, 'the CA of the server comes with the leaf');
        const get = (port: number) => ask({ port, svid, host: PAYMENTS, path: '/api/invoices/42' });
        const bySds = await get(spire.envoy.port);
        assert.equal(bySds.status, 200, bySds.body);
        const line = spire.sidecar.audit().findLast(({ result }) => result === 'allow');
        assert.equal((line!.request as { peer: string }).peer, 'spiffe://prod.example/ns/payments/sa/envoy');

        for (const chain of [true, false]) {
          const envoy = await startEnvoy({
            config: 'uds',
            dir: files.dir,
            svid: files.svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] }),
            bundlePem: pemBundle(root),
            check: files.sidecar.check,
            upstream: spire.upstream.port,
            binary: await envoyOf(version),
            edit: (tree) =>
              Object.assign(connectionManager(tree).set_current_client_cert_details, chain ? {} : { chain }),
          });
          const { status, reason, body } = await get(envoy.port);
          await envoy.stop();
          assert.deepEqual([status, reason], chain ? [200, null] : [403, 'identity_svid_issuer_unknown'], body);
        }
      } finally {
        await files.stop();
        await spire.stop();
      }
    });
  });
}
