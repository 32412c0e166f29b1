import { cpSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'yaml';
import { blocks, page } from '../docs/markdown.ts';
import { chartFile } from '../kubernetes/chart.ts';
import { getInvoice } from '../support/client.ts';
import { type Envoy, type EnvoyTree, endpointsOf } from '../support/envoy.ts';
import { SidecarEstate } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { Sidecar } from '../support/sidecar.ts';
import { TcpService } from '../support/tcp-service.ts';
import { until } from '../support/until.ts';
import { startUpstream } from '../support/upstream.ts';
import type { SoakResult } from './run.ts';

const DEFAULT_REQUESTS = 20_000;
const PER_SECOND = 200;
const CLIENTS = 32;
const REPLICAS = 2;
const CLUSTER = 'cedar-ext-authz';
/** Until every node sends new connections elsewhere. */
const PROPAGATION_MS = 1000;
const { central } = parse(chartFile('values.yaml')) as {
  readonly central: { readonly preStopSeconds: number; readonly terminationGracePeriodSeconds: number };
};

/**
 * `npm run soak -- rolling [REQUESTS]`: central mode, two processes behind a Service as the chart places them, of which one after
 * the other is replaced as a rolling update does it (the new one first; out of the Service, preStop, SIGTERM), and whose
 * policies are swapped as the kubelet swaps a ConfigMap. 200 requests a second go through Envoy: none may fail.
 */
export async function run([requests = String(DEFAULT_REQUESTS)]: readonly string[]): Promise<SoakResult> {
  const estate = await SidecarEstate.start({ tcp: true });
  const [service, upstream] = [await TcpService.start(), await startUpstream()];
  const rollout = new Rollout(estate, service);
  let envoy: Envoy | null = null;
  try {
    for (let n = 0; n < REPLICAS; n++) await rollout.add();
    envoy = await estate.envoy('tcp', upstream, (tree) => behind(tree, service.port));
    await envoy.clusterHealth(CLUSTER, true);
    return await rolling(rollout, envoy, estate, Number(requests));
  } finally {
    await envoy?.stop();
    await rollout.stop();
    await upstream.close();
    await service.close();
    await estate.stop();
  }
}

/** Envoy asks the Service, with what docs/kubernetes.md shows. */
function behind(tree: EnvoyTree, port: number): void {
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  endpointsOf(tree, CLUSTER)[0]!.endpoint.address = address;
  const [shown] = blocks(page('docs/kubernetes.md').text).filter(({ info }) => info === 'yaml cluster');
  const { health_checks = [], ...more } = parse(shown!.text) as { readonly health_checks?: readonly object[] };
  const cluster = tree.static_resources.clusters.find(({ name }) => name === CLUSTER)!;
  // A machine that runs every test at once keeps no deadline of half a second.
  Object.assign(cluster, more, { health_checks: health_checks.map((check) => ({ ...check, timeout: '20s' })) });
}

async function rolling(rollout: Rollout, envoy: Envoy, estate: SidecarEstate, requests: number): Promise<SoakResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  const svid = estate.svid('/ns/payments/sa/ledger');
  const faults: string[] = [];
  const began = performance.now();
  let [sent, running] = [0, true];
  const client = async (): Promise<void> => {
    while (sent < requests || rollout.replaced < REPLICAS) {
      const n = sent++;
      await pause(Math.max(0, began + (n * 1000) / PER_SECOND - performance.now()));
      const found = await getInvoice(agent, envoy.port, svid).catch((error: unknown) => String(error));
      if (found !== 'answered') faults.push(`request ${n}, after ${rollout.replaced} replacements: ${found}`);
    }
  };
  const clients = Promise.all(Array.from({ length: CLIENTS }, client)).finally(() => {
    running = false;
  });
  while (running) {
    faults.push(...(await rollout.replace()));
    if (running) await rollout.swapPolicies();
  }
  await clients;
  agent.destroy();
  const seconds = ((performance.now() - began) / 1000).toFixed(0);
  const { replaced, swapped } = rollout;
  const rate = (sent / Number(seconds)).toFixed(0);
  const retries = await envoy.stat(`cluster.${CLUSTER}.upstream_rq_retry`);
  const overflow = await envoy.stat(`cluster.${CLUSTER}.upstream_rq_retry_overflow`);
  if (overflow > 0)
    faults.unshift(`Envoy gave up ${overflow} retries, since more were under way than its circuit breaker takes`);
  const line = `rolling: ${sent} requests at ${rate}/s, ${faults.length} failed (${replaced} pods replaced, ${swapped} policy swaps, ${retries} retries, ${seconds} s)`;
  return { line, faults: faults.slice(0, 20) };
}

/** The pods of the Deployment, oldest first. They share the policies of one ConfigMap. */
class Rollout {
  replaced = 0;
  swapped = 0;
  readonly #estate: SidecarEstate;
  readonly #service: TcpService;
  readonly #policies: string;
  readonly #pods: { readonly sidecar: Sidecar; readonly dir: string }[] = [];

  constructor(estate: SidecarEstate, service: TcpService) {
    this.#estate = estate;
    this.#service = service;
    this.#policies = join(estate.dir, 'configmap');
    mkdirSync(this.#policies);
    cpSync(estate.policies, join(this.#policies, '..0'), { recursive: true });
    symlinkSync('..0', join(this.#policies, '..data'));
    for (const name of ['everyone.cedar', 'payments.cedar', 'platform.cedar', 'teams', 'tests', 'more.cedar']) {
      symlinkSync(join('..data', name), join(this.#policies, name));
    }
    writeFileSync(join(this.#policies, '..0', 'more.cedar'), morePolicy(0));
  }

  /** A new pod, in the Service once it is ready. */
  async add(): Promise<void> {
    const dir = temporaryFolder();
    for (const name of ['inventory.yaml', 'bundle.json']) cpSync(join(this.#estate.dir, name), join(dir, name));
    const policy = { folder: this.#policies, inventory: './inventory.yaml' };
    const config = { ...this.#estate.config, policy, limits: { deadline: '30s', drainDelay: '3s' } };
    const sidecar = await Sidecar.start({ dir, tcp: true, config });
    this.#pods.push({ sidecar, dir });
    this.#service.add(portOf(sidecar));
  }

  /** One step of a rolling update; what went wrong. */
  async replace(): Promise<string[]> {
    await this.add();
    const { sidecar, dir } = this.#pods.shift()!;
    const began = performance.now();
    const propagated = pause(PROPAGATION_MS).then(() => this.#service.remove(portOf(sidecar)));
    await pause(central.preStopSeconds * 1000);
    await propagated;
    const code = await sidecar.stop();
    const seconds = (performance.now() - began) / 1000;
    removeFolder(dir);
    this.replaced++;
    const late = seconds > central.terminationGracePeriodSeconds;
    return [...(code === 0 ? [] : [`a pod ended with ${code}`]), ...(late ? [`a pod took ${seconds} s to end`] : [])];
  }

  /** A new ConfigMap, as the kubelet writes it; served by every pod when it returns. */
  async swapPolicies(): Promise<void> {
    const [old, next] = [`..${this.swapped}`, `..${this.swapped + 1}`];
    const before = await this.#revision(this.#pods[0]!.sidecar);
    cpSync(join(this.#policies, old), join(this.#policies, next), { recursive: true });
    writeFileSync(join(this.#policies, next, 'more.cedar'), morePolicy(this.swapped + 1));
    symlinkSync(next, join(this.#policies, '..data_tmp'));
    renameSync(join(this.#policies, '..data_tmp'), join(this.#policies, '..data'));
    rmSync(join(this.#policies, old), { recursive: true });
    this.swapped++;
    for (const { sidecar } of this.#pods) {
      await until('the new policies', async () => ((await this.#revision(sidecar)) === before ? null : true));
    }
  }

  async #revision(sidecar: Sidecar): Promise<string> {
    const { policy } = (await (await sidecar.status('/status')).json()) as {
      readonly policy: { readonly revision: string };
    };
    return policy.revision;
  }

  async stop(): Promise<void> {
    for (const { sidecar, dir } of this.#pods) {
      await sidecar.stop();
      removeFolder(dir);
    }
  }
}

const portOf = ({ check }: Sidecar): number => ('port' in check ? check.port : -1);

/** Another policy for each number: none decides about the ledger. */
const morePolicy = (n: number): string => `@id("more-${n}")
@description("The tool server, once more.")
permit (
  principal == Mesh::Workload::"spiffe://prod.example/ns/platform/sa/tool-server",
  action,
  resource in Mesh::Host::"payments.internal"
);
`;
