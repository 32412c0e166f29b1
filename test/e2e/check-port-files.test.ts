import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { blocks, page } from '../docs/markdown.ts';
import { type Issued, pemBundle, TestCa } from '../support/ca.ts';
import { ask, getInvoice } from '../support/client.ts';
import { type Envoy, type EnvoyTree, place, runEnvoy, writeEnvoyCerts } from '../support/envoy.ts';
import { PAYMENTS, SidecarEstate, workload } from '../support/estate.ts';
import { H2Client } from '../support/h2-client.ts';
import { swapMounted } from '../support/mounted.ts';
import { AUTHZ } from '../support/tls-world.ts';
import { until } from '../support/until.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/** A real Envoy asks over mutual TLS, each side with a certificate of files that are replaced as the kubelet does. */

const CLUSTER = 'cedar-ext-authz';
const ENVOY = '/ns/payments/sa/envoy';
const CLIENTS = 8;
const ROTATIONS = 4;

describe('the check port with a certificate, authorities and peers of files, behind Envoy', () => {
  /** Of the Envoys and the sidecar, and apart from that of the callers. */
  const meshCa = TestCa.root('prod.example', { subject: 'the mesh' });
  const nextCa = TestCa.root('prod.example', { subject: 'the next authority of the mesh' });
  let estate: SidecarEstate;
  let upstream: Upstream;
  let envoy: Envoy;
  let ledger: Issued;
  let version = 0;

  const mounted = (name: string): string => join(estate.dir, name);
  const swap = (folder: string, files: Readonly<Record<string, string>>): void =>
    swapMounted(folder, `..version-${version++}`, files);
  const tlsFiles = (svid: Issued, ...roots: TestCa[]) => ({
    'tls.crt': svid.pem,
    'tls.key': svid.pkcs8Pem,
    'ca.crt': pemBundle(...roots),
  });
  const peers = (host: string) => ({
    'peers.yaml': `peers: [{ id: '${workload('/ns/*/sa/envoy')}', hosts: [${host}] }]`,
  });
  const certs = (svid: Issued) => ({
    'envoy.pem': svid.pem,
    'envoy.key': svid.pkcs8Pem,
    'authz-ca.pem': pemBundle(meshCa, nextCa),
  });
  const logged = (message: string): number => estate.sidecar.log.filter((line) => line.includes(`"${message}"`)).length;
  const invoice = () => ask({ port: envoy.port, svid: ledger, host: PAYMENTS, path: '/api/invoices/42' });
  /** The certificate that the check port shows to a new connection. */
  const shown = async (): Promise<string> => {
    const port = (estate.sidecar.check as { readonly port: number }).port;
    const client = await H2Client.open(port, meshCa.svid(workload(ENVOY)));
    client.close();
    return Buffer.from(client.shown.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');
  };

  before(async () => {
    const files = { certificate: './tls/tls.crt', key: './tls/tls.key', ca: './tls/ca.crt' };
    estate = await SidecarEstate.start({
      tcp: true,
      listen: { tls: { files }, peersFile: './peers/peers.yaml' },
      prepare: (dir) => {
        for (const folder of ['tls', 'peers']) mkdirSync(join(dir, folder));
        swapMounted(join(dir, 'tls'), '..first', tlsFiles(meshCa.svid(AUTHZ), meshCa));
        swapMounted(join(dir, 'peers'), '..first', peers(PAYMENTS));
        return {};
      },
    });
    upstream = await startUpstream();
    const dir = mkdtempSync(join(estate.dir, 'envoy-'));
    writeEnvoyCerts(dir, meshCa.svid(workload(ENVOY)), pemBundle(estate.ca));
    writeFileSync(join(dir, 'certs', 'authz-authorities.yaml'), documented('yaml authorities'));
    swap(join(dir, 'certs'), certs(meshCa.svid(workload(ENVOY))));
    const { check } = estate.sidecar;
    envoy = await runEnvoy(dir, place({ config: 'files', check, upstream: upstream.port, edit: overTls }));
    await envoy.clusterHealth(CLUSTER, true);
    ledger = estate.svid('/ns/payments/sa/ledger');
  });
  after(async () => {
    await envoy?.stop();
    await upstream?.close();
    await estate?.stop();
  });

  test('an Envoy with a certificate of the mesh is answered, and one with a certificate of the callers is not let in', async () => {
    const { status, body } = await invoice();
    assert.equal(status, 200, body);
    const line = estate.sidecar.audit().findLast(({ result }) => result === 'allow');
    assert.equal((line!.request as { peer: string }).peer, workload(ENVOY));
    const { port } = estate.sidecar.check as { readonly port: number };
    await assert.rejects(H2Client.open(port, estate.svid(ENVOY)));
  });

  test('certificates of both sides, authorities and peers change under load, and no request fails', async (t) => {
    const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
    const faults: string[] = [];
    let [sent, changing] = [0, true];
    const client = async (): Promise<void> => {
      while (changing) {
        sent++;
        const found = await getInvoice(agent, envoy.port, ledger).catch((error: unknown) => String(error));
        if (found !== 'answered') faults.push(found);
      }
    };
    const clients = Promise.all(Array.from({ length: CLIENTS }, client));
    /** Until so many more requests were sent, so that connections of before and after were in use. */
    const more = (requests: number) => {
      const from = sent;
      return until('more requests', () => (sent >= from + requests ? true : null));
    };
    for (let n = 0; n < ROTATIONS; n++) {
      const [before, next] = [logged('SVID rotated'), meshCa.svid(AUTHZ)];
      swap(mounted('tls'), tlsFiles(next, meshCa, nextCa));
      await until('the rotation', () => (logged('SVID rotated') > before ? true : null));
      assert.equal(await shown(), next.thumbprint);
      await more(50);
      // Any authority of the bundle will do: the second is there before anything shows a certificate of it.
      swap(join(envoy.dir, 'certs'), certs((n % 2 === 0 ? nextCa : meshCa).svid(workload(ENVOY))));
      const loaded = logged('check port file loaded');
      swap(mounted('peers'), peers(n % 2 === 0 ? `${PAYMENTS}, crm.internal` : PAYMENTS));
      await until('the peers', () => (logged('check port file loaded') > loaded ? true : null));
      await more(50);
    }
    changing = false;
    await clients;
    agent.destroy();
    assert.deepEqual(faults, []);
    const connections = await envoy.stat(`cluster.${CLUSTER}.upstream_cx_total`);
    assert.equal(await envoy.stat(`cluster.${CLUSTER}.upstream_cx_connect_fail`), 0);
    assert.ok(connections > ROTATIONS, 'Envoy made connections anew');
    t.diagnostic(
      `${sent} requests, ${faults.length} failed; ${connections} connections, ${ROTATIONS} rotations of each side`,
    );
  });

  test('a broken pair leaves the good one, and log, metric and status say why', async () => {
    const good = await shown();
    swap(mounted('tls'), { ...tlsFiles(meshCa.svid(AUTHZ), meshCa, nextCa), 'tls.key': meshCa.svid(AUTHZ).pkcs8Pem });
    const line = await until('the log', () =>
      estate.sidecar.log.find((text) => text.includes('SVID renewal failed, using the current one')),
    );
    assert.match(line, /tls\.crt with \S+tls\.key: the private key is not that of the certificate/);
    assert.equal(await shown(), good);
    assert.equal((await invoice()).status, 200);
    const outOfDate = () => estate.sidecar.metric('authz_check_port_out_of_date{file="certificate"}');
    await until('the metric', async () => ((await outOfDate()) === 1 ? true : null));
    assert.match(await (await estate.sidecar.status('/status')).text(), /"fault": "[^"]*tls\.key: the private key/);
    assert.equal((await estate.sidecar.status('/readyz')).status, 200);
    swap(mounted('tls'), tlsFiles(meshCa.svid(AUTHZ), meshCa, nextCa));
    await until('the end of the fault', async () => ((await outOfDate()) === 0 ? true : null));
    assert.notEqual(await shown(), good);
  });

  test('an Envoy that is bound to another host is refused, as its client sees it, and answered when it is bound again', async () => {
    assert.equal((await invoice()).status, 200);
    swap(mounted('peers'), peers('crm.internal'));
    const refused = await until('the refusal', async () => {
      const answer = await invoice();
      return answer.status === 200 ? null : answer;
    });
    assert.deepEqual([refused.status, refused.reason], [403, 'request_host_not_bound']);
    const line = estate.sidecar.auditOf(refused.decision);
    assert.deepEqual([line.result, line.reason], ['deny', 'request_host_not_bound']);
    assert.match(String(line.detail), /envoy is not bound to the host 'payments\.internal'; add the host to hosts/);
    swap(mounted('peers'), peers(PAYMENTS));
    await until('the answer', async () => ((await invoice()).status === 200 ? true : null));
  });

  test('an authority that is taken away no longer proves an Envoy, on connections that are open too', async () => {
    swap(join(envoy.dir, 'certs'), certs(meshCa.svid(workload(ENVOY))));
    await until('an answer', async () => ((await invoice()).status === 200 ? true : null));
    swap(mounted('tls'), tlsFiles(nextCa.svid(AUTHZ), nextCa));
    const refused = await until('the refusal', async () => {
      const { status } = await invoice();
      return status === 200 ? null : status;
    });
    assert.equal(refused, 503);
    swap(mounted('tls'), tlsFiles(nextCa.svid(AUTHZ), nextCa, meshCa));
    await until('the answer', async () => ((await invoice()).status === 200 ? true : null));
  });
});

/** Envoy asks over TLS, as docs/kubernetes.md shows it, and makes a new connection often. */
function overTls(tree: EnvoyTree): void {
  const cluster = tree.static_resources.clusters.find(({ name }) => name === CLUSTER)!;
  Object.assign(cluster, parse(documented('yaml tls')));
  const options = cluster.typed_extension_protocol_options as Record<string, Record<string, unknown>>;
  for (const each of Object.values(options)) each.common_http_protocol_options = { max_requests_per_connection: 20 };
}

/** A block of docs/kubernetes.md. */
const documented = (wanted: string): string =>
  blocks(page('docs/kubernetes.md').text).find(({ info }) => info === wanted)!.text;
