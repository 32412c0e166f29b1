import { statSync, truncateSync } from 'node:fs';
import { drive, FULL } from '../bench/load/drive.ts';
import { LoadConnection } from '../bench/load/h2-load.ts';
import { type Ask, type Paced, pace } from '../bench/load/pace.ts';
import { messages } from '../bench/messages.ts';
import { writePage } from '../bench/page/page.ts';
import { made, type Steady, writeLastRun } from '../bench/page/record.ts';
import { build, contender, startProduct, takeLoadCore } from '../bench/servers/servers.ts';
import { TestCa } from '../support/ca.ts';
import { TRUST_DOMAIN } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import type { Sidecar } from '../support/sidecar.ts';
import { ending } from '../support/started.ts';
import { TaskIssuer } from '../support/task-issuer.ts';
import type { SoakResult } from './run.ts';

const MINUTES = 30;
/** Envoy's defaults: its timeout for a check, and the requests that a cluster may have in flight. */
const [DEADLINE_MS, IN_FLIGHT] = [200, 1024];
const WARM_UP_SECONDS = 10;
/** Of the maximum: steady; the load that is too much; what has to be answered of it. */
const [SHARE, SHORT_SHARE, TOO_MUCH, LEAST] = [0.85, 0.4, 3, 0.8];
const RECOVERY_MS = 5000;
/** New tokens are made so often, and the audit file is emptied above so many bytes. */
const [RENEW_MS, AUDIT_BYTES] = [60_000, 2 ** 28];

/**
 * `npm run soak -- steady [MINUTES [record]]`: so long at 85 % of the maximum that was measured, with tokens that are renewed: no
 * error, every decision right, no second without answers. Then three times the maximum: what is answered is answered in time,
 * and the sidecar is right again at once. Below one minute the load is lighter, and only wrong answers are faults, so that a
 * busy machine makes none. `record` writes the figures into docs/performance.md.
 */
export async function run([minutes = String(MINUTES), record]: readonly string[]): Promise<SoakResult> {
  const short = Number(minutes) < 1;
  const header = await made();
  await using started = new AsyncDisposableStack();
  const folder = () => started.adopt(temporaryFolder(), removeFolder);
  const [ca, issuer, dir] = [TestCa.root(TRUST_DOMAIN), new TaskIssuer(TRUST_DOMAIN), folder()];
  const sidecar = ending(started, await startProduct({ dir, ca, issuer, tree: await build(folder()) }));
  await takeLoadCore();
  const next = mixedAsks(ca, issuer);
  const most = await maximum(sidecar, next, short ? 1 : WARM_UP_SECONDS);
  const emptying = setInterval(() => {
    if (statSync(sidecar.auditFile).size > AUDIT_BYTES) truncateSync(sidecar.auditFile);
  }, 1000);
  started.defer(() => clearInterval(emptying));
  const { port } = contender('the sidecar', sidecar);
  const connect = (): Promise<LoadConnection> => LoadConnection.to(port, `${DEADLINE_MS}m`);
  const at = (perSecond: number, seconds: number): Promise<Paced> =>
    pace(connect, next, { perSecond, seconds, deadlineMs: DEADLINE_MS, inFlight: IN_FLIGHT });
  const perSecond = Math.round(most * (short ? SHORT_SHARE : SHARE));
  const seconds = Math.max(1, Number(minutes) * 60);
  const steady = await at(perSecond, seconds);
  const overloadSeconds = short ? 1 : 15;
  const overload = await at(most * TOO_MUCH, overloadSeconds);
  const afterwards = await at(most / 4, short ? 1 : (2 * RECOVERY_MS) / 1000);
  const figures: Omit<Steady, keyof typeof header> = {
    minutes: Number(minutes),
    most,
    perSecond,
    checks: steady.sent,
    latency: {
      p50: steady.within(0.5),
      p99: steady.within(0.99),
      p999: steady.within(0.999),
      slowest: steady.within(1),
    },
    overload: {
      perSecond: most * TOO_MUCH,
      inTime: Math.round((overload.right + overload.refused) / overloadSeconds),
      decided: Math.round(overload.right / overloadSeconds),
      late: overload.unanswered,
      lostConnections: overload.lost,
      recoveredMs: Math.round(afterwards.lastFaultMs),
    },
  };
  const faults = [...wrongIn({ steady, overload, afterwards }), ...(short ? [] : failures(figures, steady, seconds))];
  if (record === 'record' && faults.length === 0) {
    writeLastRun({ steady: { ...header, ...figures } });
    writePage();
  }
  return { line: lineOf(figures, steady), faults };
}

/** Decisions that are wrong, whatever the load. */
function wrongIn(phases: Readonly<Record<string, Paced>>): readonly string[] {
  return Object.entries(phases).flatMap(([name, { wrong, right }]) => [
    ...(wrong > 0 ? [`${name}: ${wrong} decisions were wrong`] : []),
    ...(right === 0 ? [`${name}: nothing was answered`] : []),
  ]);
}

/** What must not happen on a machine that has nothing else to do. */
function failures(
  { most, overload }: Pick<Steady, 'most' | 'overload'>,
  steady: Paced,
  seconds: number,
): readonly string[] {
  const silent = Array.from({ length: Math.floor(seconds) }, (_, n) => n).filter((n) => (steady.answers[n] ?? 0) === 0);
  return [
    ...(steady.unanswered > 0 ? [`steady: ${steady.unanswered} checks without an answer in time`] : []),
    ...(steady.refused + steady.held > 0
      ? [`steady: ${steady.refused} refused as overloaded, ${steady.held} held back`]
      : []),
    ...(steady.lost > 0 ? [`steady: ${steady.lost} connections ended`] : []),
    ...(silent.length > 0 ? [`steady: no answer in the seconds ${silent.slice(0, 10).join(', ')}`] : []),
    ...(overload.late > 0 ? [`overload: ${overload.late} checks without an answer in time`] : []),
    ...(overload.inTime < LEAST * most ? [`overload: ${overload.inTime} answers a second of ${most}`] : []),
    ...(overload.recoveredMs > RECOVERY_MS ? [`a check failed ${overload.recoveredMs} ms after the overload`] : []),
  ];
}

function lineOf(
  { minutes, most, perSecond, checks, latency, overload }: Omit<Steady, keyof Awaited<ReturnType<typeof made>>>,
  steady: Paced,
): string {
  return (
    `${minutes} minutes at ${perSecond}/s of ${most}/s: ${checks} checks, ${steady.refused} refused, ${steady.unanswered} unanswered, ` +
    `p50 ${latency.p50} ms, p99 ${latency.p99} ms, p99.9 ${latency.p999} ms, slowest ${latency.slowest} ms; at ${overload.perSecond}/s ` +
    `${overload.inTime}/s in time, ${overload.decided}/s of them decided, ${overload.late} unanswered, ${overload.lostConnections} connections ended, right after ${overload.recoveredMs} ms`
  );
}

/** Checks a second with the core busy, once everything is compiled. */
async function maximum(sidecar: Sidecar, next: () => Ask, seconds: number): Promise<number> {
  const server = contender('the sidecar', sidecar);
  const allowed = (): Uint8Array => {
    for (;;) {
      const { message, right } = next();
      if (right === 'allow') return message;
    }
  };
  await drive(server, allowed, { seconds }, 'allow', FULL);
  const { checks, seconds: took } = await drive(server, allowed, { seconds }, 'allow', FULL);
  return Math.round(checks / took);
}

/** By certificate, in four tasks, and with a forged token; the tokens are new ones every minute. */
function mixedAsks(ca: TestCa, issuer: TaskIssuer): () => Ask {
  const { byCertificate, inTask, inForgedTask } = messages(ca, issuer);
  const allow = (message: Uint8Array): Ask => ({ message, right: 'allow' });
  const make = (): readonly Ask[] => [
    allow(byCertificate()),
    ...Array.from({ length: 4 }, () => allow(inTask())),
    allow(byCertificate()),
    { message: inForgedTask(), right: 'deny' },
  ];
  let [asks, made, n] = [make(), Date.now(), 0];
  return () => {
    if (Date.now() - made > RENEW_MS) [asks, made] = [make(), Date.now()];
    return asks[n++ % asks.length]!;
  };
}
