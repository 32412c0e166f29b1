import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { connect } from 'node:tls';
import { type Issued, pemBundle, TestCa } from '../support/ca.ts';
import { ask } from '../support/client.ts';
import { bundleMap, type Envoy, startEnvoy } from '../support/envoy.ts';
import { envoyOf, supportedEnvoys } from '../support/envoy-binary.ts';
import { PAYMENTS, SidecarEstate, workload } from '../support/estate.ts';
import { swapMounted } from '../support/mounted.ts';
import { until } from '../support/until.ts';
import { startUpstream } from '../support/upstream.ts';

const LEDGER = '/ns/payments/sa/ledger';

describe('envoy/files.yaml', async () => {
  const estate = await SidecarEstate.start();
  const upstream = await startUpstream();
  after(async () => {
    await upstream.close();
    await estate.stop();
  });

  for (const version of supportedEnvoys) {
    test(`Envoy ${version} shows the certificate and believes the bundle that were moved into place last`, async () => {
      const own = estate.svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] });
      const envoy = await startEnvoy({
        config: 'files',
        dir: estate.dir,
        svid: own,
        bundlePem: pemBundle(estate.ca),
        check: estate.sidecar.check,
        upstream: upstream.port,
        binary: await envoyOf(version),
      });
      try {
        const svid = estate.svid(LEDGER);
        const certs = join(envoy.dir, 'certs');
        assert.equal(await shownBy(envoy, svid), own.thumbprint);
        const first = {
          'envoy.pem': own.pem,
          'envoy.key': own.pkcs8Pem,
          'bundles.json': bundleMap(pemBundle(estate.ca)),
        };
        swapMounted(certs, '..first', first);

        const next = estate.svid('/ns/payments/sa/envoy', { dns: [PAYMENTS] });
        const newRoot = TestCa.root('prod.example', { subject: 'the next root' });
        const stranger = newRoot.svid(workload(LEDGER));
        await assert.rejects(ask({ port: envoy.port, svid: stranger, host: PAYMENTS, path: '/api/invoices/42' }));
        swapMounted(certs, '..second', {
          'envoy.pem': next.pem,
          'envoy.key': next.pkcs8Pem,
          'bundles.json': bundleMap(pemBundle(estate.ca, newRoot)),
        });
        await until('the new certificate', async () =>
          (await shownBy(envoy, svid)) === next.thumbprint ? true : null,
        );
        // The sidecar has another bundle, and refuses: what counts here is that Envoy let it in.
        const answer = await until('the new root', () =>
          ask({ port: envoy.port, svid: stranger, host: PAYMENTS, path: '/api/invoices/42' }).catch(() => null),
        );
        assert.equal(answer.reason, 'identity_svid_issuer_unknown');
        const known = await ask({ port: envoy.port, svid, host: PAYMENTS, path: '/api/invoices/42' });
        assert.equal(known.status, 200, known.body);
      } finally {
        await envoy.stop();
      }
    });
  }
});

/** The certificate that Envoy shows to a new connection, as base64url SHA-256. */
function shownBy(envoy: Envoy, client: Issued): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host: '127.0.0.1',
      port: envoy.port,
      rejectUnauthorized: false,
      cert: client.pem,
      key: client.pkcs8Pem,
    });
    socket.once('error', reject);
    socket.once('secureConnect', () => {
      const { fingerprint256 } = socket.getPeerCertificate();
      socket.destroy();
      resolve(Buffer.from(fingerprint256.replaceAll(':', ''), 'hex').toString('base64url'));
    });
  });
}
