import { cpSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import type { Issued } from '../support/ca.ts';
import { getInvoice } from '../support/client.ts';
import { type Envoy, endpointsOf } from '../support/envoy.ts';
import { SidecarEstate } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { Sidecar } from '../support/sidecar.ts';
import { until } from '../support/until.ts';
import { startUpstream } from '../support/upstream.ts';
import type { SoakResult } from './run.ts';

const DEFAULT_REQUESTS = 10_000;
const CLIENTS = 8;
const LEAST_RESTARTS = 2;
const CLUSTER = 'cedar-ext-authz';
/** What an operator gets who sets nothing. */
const limits = { deadline: '30s', drainDelay: '3s' };

/**
 * `npm run soak -- restart [REQUESTS]`: two sidecars behind one Envoy with the shipped configuration, of which now the one
 * and now the other is restarted while requests run without a pause. Each request must be answered by the service.
 */
export async function run([requests = String(DEFAULT_REQUESTS)]: readonly string[]): Promise<SoakResult> {
  const first = await SidecarEstate.start({ tcp: true, config: { limits } });
  const dir = temporaryFolder();
  const upstream = await startUpstream();
  let [second, envoy]: [Sidecar | null, Envoy | null] = [null, null];
  try {
    for (const name of ['policies', 'inventory.yaml', 'bundle.json']) {
      cpSync(join(first.dir, name), join(dir, name), { recursive: true });
    }
    second = await Sidecar.start({ dir, tcp: true, config: first.config });
    const { port } = second.check as { port: number };
    envoy = await first.envoy('tcp', upstream, (tree) => {
      const address = { socket_address: { address: '127.0.0.1', port_value: port } };
      endpointsOf(tree, CLUSTER).push({ endpoint: { address } });
    });
    return await restarts([first.sidecar, second], envoy, first.svid('/ns/payments/sa/ledger'), Number(requests));
  } finally {
    await envoy?.stop();
    await second?.stop();
    await upstream.close();
    await first.stop();
    removeFolder(dir);
  }
}

async function restarts(
  sidecars: readonly Sidecar[],
  envoy: Envoy,
  svid: Issued,
  requests: number,
): Promise<SoakResult> {
  const healthy = (count: number) =>
    until(`${count} healthy`, async () =>
      (await envoy.stat(`cluster.${CLUSTER}.membership_healthy`)) === count ? true : null,
    );
  await healthy(sidecars.length);
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const faults: string[] = [];
  let [sent, restarted] = [0, 0];
  const client = async (): Promise<void> => {
    while (sent < requests || restarted < LEAST_RESTARTS) {
      const n = sent++;
      const found = await getInvoice(agent, envoy.port, svid).catch((error: unknown) => String(error));
      if (found !== 'answered') faults.push(`request ${n}, after ${restarted} restarts: ${found}`);
    }
  };
  const began = performance.now();
  let running = true;
  const clients = Promise.all(Array.from({ length: CLIENTS }, client)).finally(() => {
    running = false;
  });
  while (running) {
    const sidecar = sidecars[restarted % sidecars.length]!;
    const code = await sidecar.stop();
    if (code !== 0) faults.push(`a sidecar ended with ${code}`);
    await sidecar.start();
    await healthy(sidecars.length);
    restarted++;
  }
  await clients;
  agent.destroy();
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const retries = await envoy.stat(`cluster.${CLUSTER}.upstream_rq_retry`);
  const line = `restart: ${sent} requests, ${faults.length} failed (${restarted} restarts and ${retries} retries in ${seconds} s)`;
  return { line, faults: faults.slice(0, 20) };
}
