import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Answer, type Ask, World, workload } from '../support/world.ts';
import { bearer, EXPORT, INVOICE, LEDGER, svidToken } from '../support/world-asks.ts';

/**
 * Checks of gateways that cannot be run here, as their published source writes them; docs/meshes.md names the commits. None
 * sends a certificate, so a caller is proven by a token, and by nothing else.
 */

let world: World;
before(async () => {
  world = await World.start();
});
after(() => world.stop());

interface Gateway {
  readonly name: string;
  /** What the gateway says of a caller that showed an X.509-SVID in the handshake. */
  readonly check: (over?: Partial<Ask>) => Ask;
  /** Why nobody is proven without a token. */
  readonly unproven: string;
}

const gateways: readonly Gateway[] = [
  {
    // Envoy with ext_authz as pkg/kgateway/extensions2/plugins/trafficpolicy/gateway_extension.go fills it in.
    name: 'kgateway',
    check: (over = {}) => ({
      svid: null,
      principal: workload(LEDGER),
      path: EXPORT,
      form: 'headers',
      route: { host: 'payments.internal' },
      ...over,
    }),
    unproven: 'identity_certificate_missing',
  },
  {
    // crates/agentgateway/src/http/ext_authz.rs: no certificate, the trace parent as id, `context` as context_extensions.
    name: 'agentgateway',
    check: (over = {}) => ({
      svid: null,
      principal: workload(LEDGER),
      path: EXPORT,
      form: 'headers',
      id: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      http: { protocol: 'HTTP/2', size: '0' },
      attributes: { tls_session: { sni: 'payments.internal' } },
      route: { host: 'payments.internal' },
      ...over,
    }),
    unproven: 'identity_certificate_missing',
  },
  {
    // listener_waypoint.go of Istio without the annotation: the tunnel has ended, and nobody says who called.
    name: 'a waypoint that names nobody',
    check: (over = {}) => ({ svid: null, path: EXPORT, ...over }),
    unproven: 'identity_token_missing',
  },
];

const callerOf = ({ audit }: Answer) => audit.caller as { id: string; credential?: string } | null;

for (const { name, check, unproven } of gateways)
  describe(`the check of ${name}`, () => {
    const withToken = (path: string, over: Partial<Ask> = {}) =>
      world.send(check({ ...over, headers: bearer(svidToken(world, path)) }));

    test('proves nobody by itself, whatever it says of the handshake', async () => {
      const answer = await world.send(check());
      assert.equal(answer.reason, unproven, answer.line);
      assert.equal(callerOf(answer), null);
    });

    test('proves a caller by a JWT-SVID, which is a bearer', async () => {
      const answer = await withToken(LEDGER);
      assert.equal(answer.reason, 'permitted', answer.line);
      assert.deepEqual([callerOf(answer)?.id, callerOf(answer)?.credential], [workload(LEDGER), 'jwt-svid']);
      assert.equal((await withToken(LEDGER, { path: INVOICE })).reason, 'policy_forbidden');
    });

    test('is refused with a token of nobody whom the inventory has, and with two tokens', async () => {
      assert.equal((await withToken('/ns/payments/sa/nobody')).reason, 'caller_unregistered');
      const token = bearer(svidToken(world, LEDGER)).authorization as string;
      const twice = await world.send(check({ headers: { authorization: `${token}, ${token}` } }));
      assert.equal(twice.reason, 'request_header_repeated', twice.line);
    });
  });
