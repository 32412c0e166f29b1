import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { TestCa } from '../support/ca.ts';
import { FakeWorkloadApi, jwtBundles, x509Bundles, x509Svid } from '../support/fake-workload-api.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { quantile, residentMb } from '../support/load.ts';
import { Sidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import type { SoakResult } from './run.ts';

const OUTAGES = Number(process.env.SOAK_OUTAGES ?? 100);
const TRUST_DOMAIN = 'prod.example';
const AUTHZ = 'spiffe://prod.example/ns/platform/sa/authz';
const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');

/** An agent that goes away again and again: after each return its news arrive, and no descriptor stays behind. */
export async function run(): Promise<SoakResult> {
  const dir = temporaryFolder();
  const agent = new FakeWorkloadApi(join(dir, 'agent.sock'));
  // The roots stand for what an agent has to tell; a different one shows that it was heard.
  const roots = [TestCa.root(TRUST_DOMAIN), TestCa.root(TRUST_DOMAIN)];
  const tell = (n: number) => agent.say('FetchX509Bundles', x509Bundles({ [TRUST_DOMAIN]: [roots[n % 2]!] }));
  tell(0);
  agent.say('FetchJWTBundles', jwtBundles({ [TRUST_DOMAIN]: [] }));
  agent.say('FetchX509SVID', { svids: [x509Svid(AUTHZ, roots[0]!.svid(AUTHZ))] });
  await agent.start();
  cpSync(example, dir, { recursive: true });
  const sidecar = await Sidecar.start({
    dir,
    tcp: true,
    listen: { tls: {}, peers: ['spiffe://prod.example/ns/payments/sa/envoy'] },
    config: {
      identity: {
        workloadApi: { socket: `unix://${agent.socket}` },
        trustDomains: { [TRUST_DOMAIN]: { local: true, workloadApi: {} } },
      },
    },
  });
  const descriptors: number[] = [];
  const times: number[] = [];
  const faults: string[] = [];
  try {
    for (let n = 1; n <= OUTAGES; n++) {
      const before = await state(sidecar);
      await agent.stop();
      await until('the loss', async () => ((await state(sidecar)).fault === null ? null : true));
      tell(n);
      await agent.start();
      const start = performance.now();
      await until('the news', async () => {
        const now = await state(sidecar);
        return now.fault === null && now.revision !== before.revision ? true : null;
      });
      times.push(performance.now() - start);
      await until('all streams', () => (allOpen(agent) ? true : null));
      descriptors.push(readdirSync(`/proc/${sidecar.pid}/fd`).length);
    }
    const early = Math.max(...descriptors.slice(0, 10));
    const late = Math.max(...descriptors.slice(-10));
    if (late > early) faults.push(`${late} descriptors at the end, ${early} at the beginning`);
    const slow = times.filter((ms) => ms > 5000).length;
    if (slow > 0) faults.push(`${slow} returns took longer than 5 s`);
    times.sort((a, b) => a - b);
    const line =
      `${OUTAGES} outages, descriptors at most ${early} in the first ten and ${late} in the last ten, ` +
      `news heard after p50 ${quantile(times, 0.5)} ms, slowest ${quantile(times, 1)} ms, ${residentMb(sidecar.pid)} MB resident`;
    return { line, faults };
  } finally {
    await sidecar.stop();
    await agent.stop();
    removeFolder(dir);
  }
}

const allOpen = (agent: FakeWorkloadApi): boolean =>
  (['FetchX509Bundles', 'FetchJWTBundles', 'FetchX509SVID'] as const).every((name) => agent.open(name) === 1);

async function state(sidecar: Sidecar): Promise<{ fault: string | null; revision: string | null }> {
  const page = (await (await sidecar.status('/status')).json()) as {
    trustDomains: { fault: string | null; revision: string | null }[];
  };
  return page.trustDomains[0]!;
}
