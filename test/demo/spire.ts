import { TestCa } from '../support/ca.ts';
import type { Shown } from '../support/client.ts';
import { connectionManager, type Envoy, type EnvoyTree } from '../support/envoy.ts';
import { TRUST_DOMAIN, workload } from '../support/estate.ts';
import { acceptAnyCertificate, PARTNER, SpireEstate } from '../support/spire-estate.ts';
import { SpireWorkload } from '../support/spire-workload.ts';
import { until } from '../support/until.ts';
import { curlLines, summary, untilStopped } from './epilogue.ts';
import { heading, type Played, play } from './play.ts';
import { AGENT, allowed, type DemoEstate, denied, LEDGER, READER, type Row, rows, send, unvalidated } from './rows.ts';
import { table } from './table.ts';

const UNKNOWN = '/ns/shadow/sa/forgotten';
const status = { path: '/api/status' };

/**
 * The demo with a live SPIRE in place of the test CA: the same rows, then a second trust domain before and after federation
 * and JWT-SVIDs. The root above our SPIRE server is the demo's own, for the rows that need a certificate that SPIRE would not
 * issue. Whether every answer was right.
 */
export async function playSpire(say: (text: string) => void, keep: boolean): Promise<boolean> {
  const ca = TestCa.root(TRUST_DOMAIN);
  const base = await SpireEstate.start({ partner: true, spire: { root: ca } });
  try {
    const openEnvoy = await base.otherEnvoy(openToAll);
    const estate = await demoEstate(base, ca);
    say(`
client ──mTLS──▶ Envoy ──▶ service        Envoy asks cedar-ext-authz about every request, over mutual TLS.
SPIRE gives every workload its certificate, Envoy its own and the bundles (SDS), the sidecar the same (Workload API).
`);
    const played: Played[] = [];
    const all = [...rows, ...(await spireRows(base, openEnvoy))];
    for (const row of all) played.push(await play(row, { estate, openEnvoy }));
    say(
      table(
        heading,
        played.map(({ cells }) => cells),
      ),
    );
    say(await summary(base.sidecar));
    if (keep) {
      say((await curlLines(estate, { dir: base.dir, policies: `${base.dir}/policies` }, LEDGER)).text);
      await untilStopped(say);
    }
    const right = played.filter((one) => one.right).length;
    say(`\ndemo with SPIRE: ${right} of ${all.length} right`);
    return right === all.length;
  } finally {
    await base.stop();
  }
}

/** Registers the workloads that the rows play; each asks the agent for its SVID whenever it is needed. */
async function demoEstate(base: SpireEstate, ca: TestCa): Promise<DemoEstate> {
  const workloads = new Map([[LEDGER, base.ledger]]);
  for (const path of [AGENT, READER, UNKNOWN]) {
    const one = await SpireWorkload.at(base.spire, path);
    await base.spire.entry(path, [one.selector]);
    workloads.set(path, one);
  }
  await Promise.all([...workloads.values()].map((one) => one.svid()));
  const svid = (path: string): Promise<Shown> => workloads.get(path)!.svid();
  const { envoy, sidecar, upstream } = base;
  return { envoy, sidecar, upstream, ca, svid };
}

async function spireRows(base: SpireEstate, openEnvoy: Envoy): Promise<readonly Row[]> {
  const partner = await SpireWorkload.at(base.partner!, PARTNER);
  await base.partner!.entry(PARTNER, [partner.selector]);
  const who = 'partner’s reader';
  const request = `GET ${status.path}`;
  return [
    {
      who,
      task: '–',
      request: `${request}, not federated`,
      expected: denied('identity_bundle_absent'),
      play: async () => send(openEnvoy, await partner.svid(), status),
    },
    {
      who,
      task: '–',
      request: `${request}, federated`,
      expected: allowed,
      play: async () => {
        await base.federate();
        const svid = await partner.svid();
        await until('federation', async () => {
          // What is not permitted to the partner, and so does not reach the service.
          const answer = await send(base.envoy, svid, { path: '/api/invoices/42' }).catch(() => null);
          return answer?.reason?.startsWith('policy_') ? true : null;
        });
        return await send(base.envoy, svid, status);
      },
    },
    {
      who: 'partner’s root, our ledger’s id',
      task: '–',
      request,
      expected: denied('identity_svid_issuer_unknown'),
      play: unvalidated(() => base.partnerRoot.svid(workload(LEDGER)), status),
    },
    {
      who: 'ledger, by JWT-SVID',
      task: '–',
      request,
      expected: allowed,
      play: async () => {
        const token = await base.ledger.jwt(workload('/ns/payments/sa/api'));
        return await send(openEnvoy, null, { ...status, headers: { authorization: `Bearer ${token}` } });
      },
    },
    {
      who: 'ledger, by JWT-SVID for another',
      task: '–',
      request,
      expected: denied('identity_token_audience', 401),
      play: async () => {
        const token = await base.ledger.jwt(workload('/ns/support/sa/crm'));
        return await send(openEnvoy, null, { ...status, headers: { authorization: `Bearer ${token}` } });
      },
    },
  ];
}

/** Every certificate and every host comes in, so that the sidecar alone refuses. */
function openToAll(tree: EnvoyTree): void {
  acceptAnyCertificate(tree);
  const [host] = connectionManager(tree).route_config.virtual_hosts;
  host!.domains = ['*'];
  delete host!.typed_per_filter_config;
}
