import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { ask, type Shown } from '../support/client.ts';
import type { EnvoyTree } from '../support/envoy.ts';
import { connectionManager } from '../support/envoy.ts';
import { PAYMENTS } from '../support/estate.ts';
import { quantile } from '../support/load.ts';
import type { AuditLine } from '../support/sidecar.ts';
import { runDocumented } from '../support/spire-docs.ts';
import { acceptAnyCertificate, SpireEstate } from '../support/spire-estate.ts';
import { until } from '../support/until.ts';
import type { SoakResult } from './run.ts';

const SECONDS = Number(process.env.SOAK_SECONDS ?? 300);
const RATE = Number(process.env.SOAK_RATE ?? 200);
const BEAT_MS = 50;
/** An agent renews at half the life of an SVID, and looks every 5 s: what it gives has at least 25 s of the minute left. */
const CONNECTION_SECONDS = 20;
const PATH = '/api/invoices/42';

/**
 * SVIDs that live one minute and two changes of the CA, under load through Envoy: no false denial, no lost request; and a
 * certificate of a CA that is withdrawn is refused from the stream message on.
 */
export async function run(): Promise<SoakResult> {
  const estate = await SpireEstate.start({
    spire: { svidTtl: '1m', caTtl: '24h' },
    edit: (tree) => shortConnections(tree),
  });
  const faults: string[] = [];
  const ends: string[] = [];
  try {
    const open = await estate.otherEnvoy(acceptAnyCertificate);
    const loading = load(estate, faults);
    for (let change = 0; change < 2; change++) {
      await pause(SECONDS * 100);
      ends.push(await replaceCa(estate, open.port, faults));
    }
    const { sent, times, svids } = await loading;
    if (faults.length > 0) faults.push(...refusalsOf(estate), ...estate.sidecar.log.slice(-40));
    const rotations = logged(estate, 'SVID rotated').length;
    if (rotations < SECONDS / 60) faults.push(`only ${rotations} SVIDs of the sidecar`);
    const line =
      `${sent} requests in ${SECONDS} s at ${RATE}/s, ${faults.length} faults, p50 ${quantile(times, 0.5)} ms, ` +
      `p99 ${quantile(times, 0.99)} ms; ${svids} SVIDs of the client, ${rotations} of the sidecar, ` +
      `2 changes of the CA; ${ends.join('; ')}`;
    return { line, faults: [...faults.slice(0, 10), ...faults.slice(10).slice(-60)] };
  } finally {
    await estate.stop();
  }
}

interface Bounded {
  common_http_protocol_options: { max_connection_duration: string };
}

function shortConnections(tree: EnvoyTree): void {
  const cluster = tree.static_resources.clusters.find(({ name }) => name === 'cedar-ext-authz') as unknown as {
    typed_extension_protocol_options: Record<string, Bounded>;
  };
  const bounded = [
    connectionManager(tree) as unknown as Bounded,
    ...Object.values(cluster.typed_extension_protocol_options),
  ];
  for (const { common_http_protocol_options: options } of bounded) {
    options.max_connection_duration = `${CONNECTION_SECONDS}s`;
  }
}

/** Requests at a steady rate over connections that are kept alive, each with the SVID that was current when it was opened. */
async function load(estate: SpireEstate, faults: string[]) {
  const times: number[] = [];
  const pending = new Set<Promise<void>>();
  const replaced = new Set<Client>();
  let client = clientOf(await estate.ledger.svid());
  let svids = 1;
  let running = true;
  const renewing = (async () => {
    while (running) {
      await pause(2000);
      const svid = await estate.ledger.svid();
      if (svid.pem === client.svid.pem) continue;
      replaced.add(client);
      client = clientOf(svid);
      svids++;
    }
  })();
  const closeIdle = () => {
    for (const old of replaced) {
      if (old.inFlight > 0) continue;
      old.agent.destroy();
      replaced.delete(old);
    }
  };
  const begin = performance.now();
  let sent = 0;
  while (performance.now() - begin < SECONDS * 1000) {
    const due = Math.floor(((performance.now() - begin) / 1000) * RATE);
    for (; sent < due; sent++) {
      const one = get(estate.envoy.port, client, times).catch((error: unknown) => {
        faults.push(`${new Date().toISOString()} ${error instanceof Error ? error.message : String(error)}`);
      });
      pending.add(one);
      void one.finally(() => pending.delete(one));
    }
    closeIdle();
    await pause(BEAT_MS);
  }
  running = false;
  await Promise.all([...pending, renewing]);
  replaced.add(client);
  closeIdle();
  return { sent, times: times.sort((a, b) => a - b), svids };
}

interface Client {
  readonly svid: Shown;
  readonly agent: Agent;
  inFlight: number;
}

function clientOf(svid: Shown): Client {
  const keys = { cert: svid.pem, key: svid.pkcs8Pem, rejectUnauthorized: false };
  return { svid, inFlight: 0, agent: new Agent({ ...keys, keepAlive: true, maxSockets: 16, maxCachedSessions: 0 }) };
}

function get(port: number, client: Client, times: number[]): Promise<void> {
  const { agent } = client;
  client.inFlight++;
  const answered = new Promise<void>((resolve, reject) => {
    const start = performance.now();
    const asking = request({ host: '127.0.0.1', port, agent, path: PATH, headers: { host: PAYMENTS } }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        body += part;
      });
      response.on('end', () => {
        times.push(performance.now() - start);
        if (response.statusCode === 200) resolve();
        else reject(new Error(`${response.statusCode} ${body}`));
      });
      response.on('error', reject);
    });
    asking.on('error', reject);
    asking.setTimeout(30_000, () => asking.destroy(new Error('no answer within 30 s')));
    asking.end();
  });
  return answered.finally(() => client.inFlight--);
}

/** Changes the CA by the steps of docs/spire.md, and sees when a certificate of the old one is refused. */
async function replaceCa(estate: SpireEstate, port: number, faults: string[]): Promise<string> {
  const { spire, dir, sidecar } = estate;
  const old = await mint(estate);
  const read = () => ask({ port, svid: old, host: PAYMENTS, path: PATH });
  if ((await read()).status !== 200) faults.push('a certificate of the CA in force is refused');
  const step = (name: string) => runDocumented(name, spire, dir, { KIND: 'x509' });
  await step('prepare');
  // Every agent learns of it within 5 s, and Envoy and the sidecar from it at once.
  await pause(10_000);
  await step('activate');
  // No connection is left that showed the old one.
  await pause((CONNECTION_SECONDS + 10) * 1000);
  const updates = logged(estate, 'trust bundle updated').length;
  await step('revoke');
  const [refused, decision] = await until('the refusal', async () => {
    const answer = await read();
    return answer.status === 200 ? null : ([answer.reason, answer.decision] as const);
  });
  if (refused !== 'identity_svid_issuer_unknown') faults.push(`the withdrawn CA is refused with ${refused}`);
  const update = await until('the update in the log', () => logged(estate, 'trust bundle updated')[updates]);
  const lines = sidecar.audit();
  const fingerprint = fingerprintOf(old);
  const lastAllow = lines.findLast(
    ({ result, caller }) => result === 'allow' && (caller as { fingerprint?: string })?.fingerprint === fingerprint,
  );
  const [message, allow, refusal] = [update, time(lastAllow), time(sidecar.auditOf(decision))];
  if (allow > message)
    faults.push(`a certificate of the withdrawn CA was allowed ${allow - message} ms after the message`);
  return `withdrawn CA refused ${refusal - message} ms after the stream message, last allowed ${message - allow} ms before it`;
}

/** A certificate of the CA in force that outlives the change. */
async function mint({ spire, dir }: SpireEstate): Promise<Shown> {
  const into = mkdtempSync(join(dir, 'minted-'));
  const id = 'spiffe://prod.example/ns/payments/sa/ledger';
  await spire.server('x509', 'mint', '-spiffeID', id, '-ttl', '1h', '-write', into);
  return { pem: readFileSync(join(into, 'svid.pem'), 'utf8'), pkcs8Pem: readFileSync(join(into, 'key.pem'), 'utf8') };
}

/** What Envoy and the audit say about the requests that were not allowed, counted. */
function refusalsOf({ envoy, sidecar }: SpireEstate): readonly string[] {
  const counts = new Map<string, number>();
  for (const { result, reason, detail } of sidecar.audit()) {
    const what = `the sidecar: ${reason}: ${detail}`;
    if (result === 'deny') counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  for (const { status, reason, details, flags } of envoy.accessLog()) {
    const what = `Envoy: status ${status}, reason ${reason}, ${details}, flags ${flags}`;
    if (status !== 200) counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, count]) => `${count} times ${what}`);
}

/** When the sidecar's log said this, each time; milliseconds. */
function logged({ sidecar }: SpireEstate, message: string): readonly number[] {
  return sidecar.log
    .filter((line) => line.includes(message))
    .map((line) => Date.parse((JSON.parse(line) as { time: string }).time));
}

const time = (line: AuditLine | undefined): number => Date.parse(String(line?.time));

const fingerprintOf = ({ pem }: Shown): string =>
  `sha256:${new X509Certificate(pem).fingerprint256.replaceAll(':', '').toLowerCase()}`;
