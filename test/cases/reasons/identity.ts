import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Issued, type TestCa, urlEncodedPem } from '../../support/ca.ts';
import { until } from '../../support/until.ts';
import { type Ask, World, workload } from '../../support/world.ts';
import {
  type Asker,
  agentByTxn,
  bearer,
  EXPORT,
  GATEWAY,
  LEDGER,
  ledgerReads,
  ledgerShows,
  READER,
  readerBehindGateway,
  svidToken,
  TOOLS,
} from '../../support/world-asks.ts';
import { type Family, type Pair, pair } from './case.ts';
import { identityLegacy } from './identity-legacy.ts';
import { identitySvid } from './identity-svid.ts';
import { identityToken } from './identity-token.ts';

/** A workload of another trust domain reads the status page. */
const foreign = (ca: (world: Asker) => TestCa, id: string) => (world: Asker) => ({
  svid: ca(world).svid(id),
  path: '/api/status',
});
const partner = foreign(({ keys }) => keys.partnerCa, 'spiffe://partner.example/ns/shop/sa/cart');
const fading = foreign(({ keys }) => keys.fadingCa, 'spiffe://fading.example/sa/clock');

/** What x-forwarded-client-cert says of the gateway, a trusted proxy. */
const wrongElement = (bad: (gateway: Issued) => string): Pair =>
  pair(
    readerBehindGateway((gateway) => `Cert="${urlEncodedPem(gateway)}"`),
    readerBehindGateway(bad),
  );

/** The ledger behind two proxies, of which this one is the nearer to it. */
const throughProxies =
  (first: string) =>
  (world: Asker): Ask => {
    const gateway = world.svid(GATEWAY);
    const elements = [world.svid(LEDGER), world.svid(first), gateway].map((svid) => `Cert="${urlEncodedPem(svid)}"`);
    return { ...ledgerReads({ headers: { 'x-forwarded-client-cert': elements.join(',') } })(world), svid: gateway };
  };

/** The reader by a certificate, with the JWT-SVID of this workload beside it. */
const readerWithToken =
  (token: string) =>
  (world: Asker): Ask => ({
    svid: world.svid(READER),
    path: EXPORT,
    headers: bearer(svidToken(world, token)),
  });

export const identity: Family<'identity'> = {
  ...identityToken,
  ...identitySvid,
  ...identityLegacy,
  identity_missing: pair(agentByTxn(), agentByTxn({}, { svid: null })),
  identity_spiffe_id_malformed: pair(
    ledgerReads(),
    ledgerShows(({ keys: { ca } }) => ({ leaf: ca.issue({ uris: [`https://prod.example${LEDGER}`] }) })),
  ),
  identity_certificate_missing: pair(
    ledgerReads({ principal: workload(LEDGER) }),
    ledgerReads({ principal: workload(LEDGER), svid: null }),
  ),
  identity_principal_mismatch: pair(
    ledgerReads({ principal: workload(LEDGER) }),
    ledgerReads({ principal: workload(READER) }),
  ),
  identity_conflict: pair(readerWithToken(READER), readerWithToken(LEDGER)),
  identity_xfcc_mismatch: wrongElement((gateway) => `Hash=${'0'.repeat(64)};Cert="${urlEncodedPem(gateway)}"`),
  identity_xfcc_without_certificate: wrongElement(() => `URI=${workload(GATEWAY)}`),
  identity_proxy_untrusted: {
    world: 'proxies',
    ...pair(throughProxies('/ns/edge/sa/waypoint'), throughProxies(TOOLS)),
  },
  identity_trust_domain_unknown: pair(
    partner,
    foreign(({ keys }) => keys.partnerCa, 'spiffe://unknown.example/ns/shop/sa/cart'),
  ),
  identity_bundle_absent: pair(
    partner,
    foreign(({ keys }) => keys.silentCa, 'spiffe://silent.example/sa/clock'),
  ),
  identity_bundle_empty: pair(
    partner,
    foreign(({ keys }) => keys.emptiedCa, 'spiffe://emptied.example/sa/clock'),
  ),
  identity_bundle_stale: {
    play: async () => {
      const world = await World.start();
      try {
        const good = await world.send(fading(world));
        rmSync(join(world.folder, 'fading.example.json'));
        const bad = await until('a stale bundle', async () => {
          const answer = await world.send(fading(world));
          return answer.reason === 'permitted' ? null : answer;
        });
        return { good, bad };
      } finally {
        await world.stop();
      }
    },
  },
};
