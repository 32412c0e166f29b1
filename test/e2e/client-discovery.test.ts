import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { parse } from 'yaml';
import { blocks, page } from '../docs/markdown.ts';
import { type View, viewHttp1 } from '../support/client-view.ts';
import { valuesOf } from '../support/dpop-client.ts';
import { connectionManager, type Envoy, type EnvoyTree } from '../support/envoy.ts';
import { envoyOf, supportedEnvoys } from '../support/envoy-binary.ts';
import { exampleIdentity, PAYMENTS, SidecarEstate, workload } from '../support/estate.ts';
import { JwksServer } from '../support/jwks-server.ts';
import { jwk, makeKey, oidcToken } from '../support/tokens.ts';
import { startUpstream, type Upstream } from '../support/upstream.ts';

/**
 * A client that knows nothing but the address of a resource finds out where its tokens are issued (RFC 9728 section 5),
 * asks there for one, and is served. Its metadata is the route that docs/tasks.md shows.
 */

const ORIGIN = `https://${PAYMENTS}`;
const AUDIENCE = workload('/ns/payments/sa/api');
const EXPORT = '/api/exports/october';
const CLIENT = { id: 'ledger-client', secret: 'only-for-this-test' };

let server: JwksServer;
let estate: SidecarEstate;
let upstream: Upstream;

before(async () => {
  server = await JwksServer.start();
  serveTokens(server);
  const identity = { ...exampleIdentity({ mode: 'sanitize-set' }), oidc: [{ issuer: server.url, discovery: true }] };
  const prepare = (dir: string) => {
    const file = join(dir, 'inventory.yaml');
    const inventory = parse(readFileSync(file, 'utf8'));
    inventory.resources.find(({ host }: { host: string }) => host === PAYMENTS).origin = ORIGIN;
    const ledger = inventory.workloads.find(({ id }: { id?: string }) => id === workload('/ns/payments/sa/ledger'));
    ledger.credentials = [{ issuer: server.url, subject: CLIENT.id }];
    writeFileSync(file, JSON.stringify(inventory));
    return {};
  };
  estate = await SidecarEstate.start({ prepare, config: { identity, task: { resourceMetadata: true } } });
  upstream = await startUpstream();
});
after(async () => {
  await upstream.close();
  await estate.stop();
  await server.stop();
});

for (const version of supportedEnvoys) {
  suite(`behind Envoy ${version}`, () => {
    let envoy: Envoy;
    before(async () => {
      envoy = await estate.envoy('test-permissive', upstream, withMetadata, await envoyOf(version));
    });
    after(() => envoy.stop());

    const get = (url: string, headers: Readonly<Record<string, string>> = {}): Promise<View> => {
      const { origin, host, pathname: path } = new URL(url);
      assert.equal(origin, ORIGIN);
      return viewHttp1({ port: envoy.port, svid: null, host, method: 'GET', path, headers });
    };

    test('no credential: 401, the metadata of the resource, a token, and an answer', async () => {
      const first = await get(ORIGIN + EXPORT);
      assert.equal(first.status, 401);
      const [bearer = ''] = valuesOf(first, 'www-authenticate').filter((value) => value.startsWith('Bearer '));
      const metadataUrl = /resource_metadata="([^"]+)"/.exec(bearer)?.[1] ?? assert.fail(bearer);
      const answer = await get(metadataUrl);
      assert.equal(answer.status, 200);
      assert.deepEqual(valuesOf(answer, 'content-type'), ['application/json']);
      const metadata = JSON.parse(answer.body);
      // RFC 9728 section 3.3: else the client must not use it.
      assert.equal(metadata.resource, ORIGIN);
      const token = await tokenFrom(metadata.authorization_servers[0]);
      const served = await get(ORIGIN + EXPORT, { authorization: `Bearer ${token}` });
      assert.equal(served.status, 200, served.body);
      assert.equal(upstream.seen.at(-1)?.url, EXPORT);
    });

    test('only the metadata itself is open to everybody', async () => {
      const metadata = `${ORIGIN}/.well-known/oauth-protected-resource`;
      for (const near of [`${metadata}/`, `${metadata}/x`, `${ORIGIN}/.well-known/`])
        assert.equal((await get(near)).status, 401, near);
    });
  });
}

/** The route of docs/tasks.md before all others, naming the authorization server of this test. */
function withMetadata(tree: EnvoyTree): void {
  const text = blocks(page('docs/tasks.md').text).find(({ info }) => info === 'yaml metadata-route')!.text;
  assert.ok(text.includes('https://sso.prod.example'));
  const route = parse(text.replace('https://sso.prod.example', server.url));
  connectionManager(tree).route_config.virtual_hosts[0]!.routes.unshift(route);
}

/** An authorization server (RFC 8414) that knows one client. */
function serveTokens(server: JwksServer): void {
  const key = makeKey('ES256', 'sso-1');
  const endpoint = `${server.url}/token`;
  const metadata = { issuer: server.url, jwks_uri: `${server.url}/jwks`, token_endpoint: endpoint };
  server.serve('/.well-known/oauth-authorization-server', metadata);
  server.serve('/jwks', { keys: [jwk(key)] });
  server.serve('/token', (request, response) => {
    const expected = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64')}`;
    if (request.headers.authorization !== expected) {
      response.writeHead(401).end();
      return;
    }
    const frame = { key, now: Date.now(), iss: server.url, sub: CLIENT.id, aud: AUDIENCE };
    const body = JSON.stringify({ access_token: oidcToken(frame), token_type: 'Bearer' });
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  });
}

/** A token by client credentials, from the server that calls itself by this issuer. */
async function tokenFrom(issuer: string): Promise<string> {
  const found = await fetch(`${issuer}/.well-known/oauth-authorization-server`);
  const metadata = (await found.json()) as { issuer: string; token_endpoint: string };
  assert.equal(metadata.issuer, issuer);
  const basic = Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString('base64');
  const response = await fetch(metadata.token_endpoint, {
    method: 'POST',
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: 'client_credentials', resource: ORIGIN }),
  });
  return ((await response.json()) as { access_token: string }).access_token;
}
