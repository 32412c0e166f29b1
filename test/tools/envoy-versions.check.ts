import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { page, repository } from '../docs/markdown.ts';
import { type Issued, pemBundle } from '../support/ca.ts';
import { type Ask, ask } from '../support/client.ts';
import { viewHttp1, viewHttp2 } from '../support/client-view.ts';
import { connectionManager, type Envoy, type EnvoyTree, envoyConfigs, writeEnvoyCerts } from '../support/envoy.ts';
import { envoyOf } from '../support/envoy-binary.ts';
import { PAYMENTS, workload } from '../support/estate.ts';
import { run } from '../support/run.ts';
import { ids, places, ThiefEstate } from '../support/thief-estate.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/** Each version of Envoy that docs/upgrading.md says is supported, by the newest patch of it that can be had here. */
const versions = ['1.37.0', '1.38.3', '1.39.3', '1.40.0'];

const REFUNDS = '/api/refunds';
/** The bytes of a body that the shipped route reads. */
const BODY_LIMIT = 8192;
/** A header that policies may read, as often as it comes. */
const NOTE = 'x-note';

let estate: ThiefEstate;
let upstream: Upstream;
before(async () => {
  estate = await ThiefEstate.start({
    task: { dpop: { nonce: { required: true } } },
    // Where people can be asked for an approval, it is told whether they would be shown all of a body.
    listen: { control: { address: 'unix:./control.sock' } },
    control: { audience: workload('/control') },
    policy: { folder: './policies', inventory: './inventory.yaml', headers: [{ name: NOTE }] },
  });
  upstream = await startUpstream();
});
after(async () => {
  await upstream?.close();
  await estate?.stop();
});

test('docs/upgrading.md names the versions that are run here', () => {
  const [, named = ''] = /^\| Envoy \| ([^|]+) \|/m.exec(page('docs/upgrading.md').text) ?? [];
  assert.deepEqual(named.trim().split(', '), versions);
});

for (const version of versions) {
  suite(`Envoy ${version}`, () => {
    let binary: string;
    let envoy: Envoy;
    before(async () => {
      binary = await envoyOf(version);
      envoy = await start(() => {});
    });
    after(() => envoy?.stop());

    const start = (edit: (tree: EnvoyTree) => void): Promise<Envoy> => estate.base.envoy('tcp', upstream, edit, binary);
    const send = (over: Partial<Ask>, { port } = envoy) =>
      ask({ port, svid: estate.svids.ledger, host: PAYMENTS, path: places.invoice, ...over });
    const view = (svid: Issued, path: string = places.invoice, headers = {}) => ({
      ...{ port: envoy.port, host: PAYMENTS, method: 'GET', svid, path, headers },
    });

    test('is that version, and takes every shipped configuration', async () => {
      assert.match(await run(binary, ['--version']), new RegExp(`/${RegExp.escape(version)}/`));
      const dir = mkdtempSync(join(estate.base.dir, 'validate-'));
      writeEnvoyCerts(dir, estate.svids.ledger, pemBundle(estate.base.ca));
      for (const config of envoyConfigs) {
        const file = join(repository, 'envoy', `${config}.yaml`);
        await run(binary, ['--mode', 'validate', '--disable-hot-restart', '-c', file], { cwd: dir });
      }
    });

    test('tells the caller by its certificate, and the service who called', async () => {
      const { status, body } = await viewHttp2(view(estate.svids.ledger));
      assert.equal(status, 200, body);
      const headers = new Map(upstream.seen.at(-1)!.headers);
      assert.equal(headers.get('x-authz-caller'), ids.ledger);
      const line = estate.base.sidecar.auditOf(headers.get('x-authz-decision') ?? null);
      assert.deepEqual([line.result, line.caller?.id], ['allow', ids.ledger]);
    });

    test('lets the client have the status, every header and the document of a denial', async () => {
      const seen = upstream.seen.length;
      for (const see of [viewHttp1, viewHttp2]) {
        const denied = await see(view(estate.svids.tools));
        assert.equal(denied.status, 403, denied.body);
        const { reason, decision, status } = JSON.parse(denied.body);
        assert.deepEqual([reason, status], ['policy_forbidden', 403]);
        assert.equal(estate.base.sidecar.auditOf(decision).reason, reason);
        assert.equal(new Map(denied.headers).get('content-type'), 'application/problem+json');

        const { tokens } = estate;
        const proof = tokens.withDpop(tokens.keyBound(ids.agent), places.payout, { method: 'GET' });
        const challenged = await see(view(estate.svids.agent, places.payout, proof));
        assert.equal(challenged.status, 401, challenged.body);
        const headers = new Map(challenged.headers);
        assert.match(headers.get('dpop-nonce') ?? '', /^[0-9]+\.[A-Za-z0-9_-]{22}$/);
        assert.match(headers.get('www-authenticate') ?? '', /^DPoP error="use_dpop_nonce"/);
      }
      assert.equal(upstream.seen.length, seen, 'nothing reached the service');
    });

    test('shows the body of a route that asks for it, and says where it did not show all', async () => {
      const refund = async (body: string) => (await send({ method: 'POST', path: REFUNDS, body })).reason;
      assert.equal(await refund('{"amount":120}'), 'approval_required');
      assert.equal(await refund('x'.repeat(BODY_LIMIT - 1)), 'approval_required');
      assert.equal(await refund('x'.repeat(BODY_LIMIT)), 'approval_body_unseen');
    });

    test('sends headers as they came: two of one name are not one with a comma', async () => {
      const joining = await start((tree) => {
        const { typed_config } = connectionManager(tree).http_filters[0]! as { typed_config: Record<string, unknown> };
        delete typed_config.encode_raw_headers;
      });
      try {
        const noted = async (value: string | readonly string[], to: Envoy) =>
          (await send({ headers: { [NOTE]: value } }, to)).reason;
        const [two, one] = [['first', 'second'], 'first,second'];
        assert.deepEqual([await noted(two, envoy), await noted(one, envoy)], ['request_header_repeated', null]);
        assert.equal(await noted(two, joining), await noted(one, joining), 'without raw headers they are one');
      } finally {
        await joining.stop();
      }
    });
  });
}
