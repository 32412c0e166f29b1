import type { Writable } from 'node:stream';
import { systemClock } from '../base/clock.ts';
import { Refusal } from '../base/outcome.ts';
import { check, type Decision, type Occasion, type Stages } from '../check/check.ts';
import { toRecord } from '../check/record.ts';
import { againstInventory, type Findings } from '../config/against-inventory.ts';
import type { Config } from '../config/schema.ts';
import { unsafeInForce } from '../config/unsafe.ts';
import { serveStatus } from '../control/status.ts';
import { createHandler } from '../envoy/handler.ts';
import { readRequest } from '../envoy/request.ts';
import { serveChecks } from '../envoy/server.ts';
import type { CheckTls } from '../envoy/tls.ts';
import type { CheckInput } from '../http/input.ts';
import { identify } from '../identity/identify.ts';
import { Audit } from '../observe/audit.ts';
import { createLog, type Log } from '../observe/log.ts';
import type { Metrics, RefusedConnection } from '../observe/metrics.ts';
import { FileSink, streamSink } from '../observe/sink.ts';
import { Engine } from '../policy/decide/engine.ts';
import { SnapshotHolder } from '../policy/load/holder.ts';
import { policySettings } from '../policy/text/sources.ts';
import { formatProblem } from '../source/problem.ts';
import { commit } from '../state/commit.ts';
import { MemoryState } from '../state/memory.ts';
import { identityEvents, type Reporters, watchPolicy } from './changes.ts';
import { type Identity, startIdentity } from './identity.ts';
import { unusablePlaces } from './places.ts';
import { startTasks, type Tasks } from './task.ts';
import { atMostOnceASecond, measureAtScrape, metricsFor, observer } from './telemetry.ts';

/** What the process gives to the program; main.ts is the one place that knows the process. */
export interface Surroundings {
  readonly stdout: Writable;
  /** Takes one line of the log, with its line feed. */
  readonly log: (line: string) => void;
  readonly version: string;
  /** When the process started, in milliseconds since the epoch: no use of a proof before is remembered. */
  readonly startedAtMs: number;
  /** The version of Node. */
  readonly node: string;
}

export interface App {
  /** Where Envoy connects, as a gRPC client writes it. */
  readonly check: string;
  /** The port of the status pages; null when they are off. */
  readonly statusPort: number | null;
  /** Looks at policies and inventory again now, and opens audit files anew that were moved away. */
  reload(): Promise<void>;
  /** Stops taking checks, answers those in flight, writes what waits, and closes everything. */
  stop(): Promise<void>;
}

/** How long before Envoy's deadline an answer must be under way. */
const MARGIN_MS = 10;
/** How long the audit may take at the end to write what waits. */
const AUDIT_FLUSH_MS = 5000;

/** How often it is looked at whether time alone made something stale. */
const READINESS_MS = 1000;

/** What ends a part that was begun. */
type End = () => unknown;

/**
 * Builds every part by hand, and serves. Throws when a port, a sink or a file of the configuration cannot be used; nothing
 * is left of what was begun then.
 */
export async function start(config: Config, surroundings: Surroundings): Promise<App> {
  const begun: End[] = [];
  try {
    return await build(config, surroundings, begun);
  } catch (error) {
    for (const end of begun.toReversed()) await end();
    throw error;
  }
}

async function build(
  config: Config,
  { stdout, log: write, version, node, startedAtMs }: Surroundings,
  begun: End[],
): Promise<App> {
  const clock = systemClock;
  const log: Log = createLog({ level: config.log.level, write, now: clock.now });
  const metrics = metricsFor(config, version, node);
  const unsafe = unsafeInForce(config).map(({ setting }) => setting);
  for (const each of unsafeInForce(config)) log.warn('unsafe setting in force', each);
  // A second instance must not write to the audit file of the first: the ports are taken before any sink is opened, and
  // checks that come meanwhile wait.
  const auditing = Promise.withResolvers<Audit>();
  const change: Audit['change'] = (what) => void auditing.promise.then((audit) => audit.change(what));
  const reporters: Reporters = { log, metrics, audit: { change } };
  const events = identityEvents(reporters);
  const identity = await startIdentity(config, events);
  begun.push(() => identity.stop());
  const tasks = await startTasks(config, identity, startedAtMs, events.onKeys);
  begun.push(() => tasks.stop());
  const state = new MemoryState({ maxEntries: config.limits.rememberedProofs });
  const engine = new Engine({
    onLost: (why) => log.error('policy engine lost', { why }),
    onReplaced: (milliseconds) => {
      metrics.engineRebuilt();
      log.warn('policy engine replaced', { milliseconds: Math.round(milliseconds) });
    },
  });
  begun.push(() => engine.close());
  const policy = await openPolicy(config, engine);
  begun.push(() => policy.close());
  watchPolicy(policy, config, reporters, clock.now);
  policy.events.on('loaded', () => identity.tokens.forget());
  for (const problem of estateFindings(policy, config).problems) log.warn('configuration problem', { problem });
  const taskHeaders = Object.values(config.task.headers ?? {});
  const stages: Stages = {
    serves: config.serves,
    enforcement: config.policy.unsafeObserveOnly ? 'unsafeObserveOnly' : 'enforce',
    taskHeaders,
    readCredentials: identity.readCredentials,
    identify: (input, credentials, target, known, now, onVerified) =>
      identify(input, credentials, target, known, identity.rules, now, onVerified),
    readTask: tasks.read,
    commit: async (claims, use, now) =>
      clock.now() < use.deadline ? commit(state, claims, use, now) : new Refusal('overloaded', 'decided too late'),
  };
  const queryParameters = new Set(config.audit.queryParameters);
  const handler = createHandler({
    decide: (input, occasion, now) => decideBySnapshot(policy, input, stages, occasion, now),
    record: async (concluded, waitMs) =>
      (await auditing.promise).record(
        toRecord(concluded, { label: config.policy.label, unsafe, queryParameters }),
        waitMs,
      ),
    observe: observer(metrics),
    undelivered: (decision) => void auditing.promise.then((audit) => audit.undelivered(decision)),
    onBug: (error, decision) => log.error('bug: check refused', { decision, error }),
    clock: clock.now,
    limits: {
      concurrentChecks: config.limits.concurrentChecks,
      marginMs: MARGIN_MS,
      deadlineMs: config.limits.deadlineMs,
    },
  });
  const requestOptions = {
    mergeSlashes: config.request.mergeSlashes,
    headerBytes: config.limits.headerBytes,
    targetBytes: config.limits.targetBytes,
    singleHeaders: [...taskHeaders, ...config.policy.headers.map(({ name }) => name)],
    forwarded: config.identity.forwarded,
  };
  const server = await serveChecks(
    config.listen.check.kind === 'unix'
      ? { socket: config.listen.check.path }
      : { ...config.listen.check, tls: checkTls(config, identity, reporters) },
    {
      requestBytes: config.limits.requestBytes,
      concurrentStreams: config.limits.streams,
      sessionMemoryMb: Math.ceil(config.limits.sessionBytes / 2 ** 20),
    },
    { ...handler, handle: async (call) => auditing.promise.then(() => handler.handle(call)) },
    (message, checkPeer) => readRequest(message, { checkPeer }, requestOptions),
  );
  begun.push(() => server.drain(0, 0));
  let [starting, stopping] = [true, false];
  const readiness = () => {
    const missing = [
      ...(starting ? ['it is starting'] : []),
      ...(stopping ? ['it is stopping'] : []),
      ...(policy.current() === null ? ['no policy snapshot could be loaded'] : []),
      ...identity.notReady(clock.now()),
      ...tasks.notReady(),
    ];
    server.setServing(missing.length === 0);
    return { ready: missing.length === 0, missing };
  };
  const status =
    config.listen.status === null
      ? null
      : await serveStatus({
          ...config.listen.status,
          readiness,
          status: () => ({
            version,
            ...readiness(),
            policy: describePolicy(policy, config),
            unsafe,
            ...describeIdentity(identity, tasks, clock.now()),
          }),
          metrics: () => metrics.scrape(),
          failed: (path, error) => log.error('status page failed', { path, error }),
        });
  if (status !== null) begun.push(() => status.close());
  const audit = await startAudit(config, stdout, version, log, metrics);
  auditing.resolve(audit);
  const { inflight } = handler;
  const measured = { identity, tasks, policy, state, audit, inflight, ready: () => readiness().ready };
  measureAtScrape(metrics, measured, config, clock.now);
  starting = false;
  readiness();
  const looking = setInterval(readiness, READINESS_MS);
  log.info('serving', { check: server.target, status: status?.port ?? null, version });
  return {
    check: server.target,
    statusPort: status?.port ?? null,
    reload: async () => {
      audit.reopen();
      await policy.refresh();
    },
    stop: async () => {
      stopping = true;
      readiness();
      clearInterval(looking);
      await server.drain(config.limits.drainDelayMs, config.limits.drainMs);
      await audit.close(AUDIT_FLUSH_MS);
      await policy.close();
      identity.stop();
      tasks.stop();
      engine.close();
      await status?.close();
      log.info('stopped');
    },
  };
}

/** How the check port proves itself and its Envoys; null without `listen.tls`. */
function checkTls(
  { listen, identity: { maxLifetime } }: Config,
  { own, bundles }: Identity,
  { log, metrics }: Pick<Reporters, 'log' | 'metrics'>,
): CheckTls | null {
  if (listen.tls === null) return null;
  // Never plaintext where mutual TLS was asked for.
  if (own === null) throw new Error('listen.tls is set, and there is no SPIFFE agent to take an SVID from');
  const report = atMostOnceASecond((address: string, why: string, cause: RefusedConnection) =>
    log.warn('connection to the check port refused', { address, cause, why }),
  );
  return {
    ownSvid: (listener) => own.onChange(listener),
    peers: new Set(listen.peers.map(({ text }) => text)),
    bundles: () => bundles.snapshot(),
    maxLifetimeSeconds: maxLifetime.x509Ms / 1000,
    clock: systemClock,
    onRefused: (address, why, cause) => {
      metrics.connectionRefused(cause);
      report(address, why, cause);
    },
  };
}

function startAudit(config: Config, stdout: Writable, version: string, log: Log, metrics: Metrics): Promise<Audit> {
  return Audit.start({
    sinks: config.audit.sinks.map((sink) =>
      sink.to === 'stdout' ? streamSink('stdout', stdout) : new FileSink(sink.path),
    ),
    queue: config.audit.queue,
    onFailure: config.audit.onFailure,
    now: systemClock.now,
    start: { version, unsafe: unsafeInForce(config).map(({ setting }) => setting) },
    report: (sink, result, records, cause) => {
      metrics.audited(sink, result, records);
      if (cause !== null) log.error('audit sink failed', { sink, cause });
    },
  });
}

function describePolicy(policy: SnapshotHolder, { policy: { label } }: Config) {
  const { problems, warnings, loadedAt, lastAttemptAt, ...rest } = policy.status();
  const times = { loadedAt: timeText(loadedAt), lastAttemptAt: timeText(lastAttemptAt) };
  const found = { problems: problems.map(formatProblem), warnings: warnings.map(formatProblem) };
  return { ...rest, label, ...times, ...found };
}

function describeIdentity(identity: Identity, tasks: Tasks, now: number) {
  const { notAfter = null, ...own } = identity.own?.status(now) ?? {};
  return {
    trustDomains: identity.bundles.status(now).map((each) => ({ ...each, freshAt: timeText(each.freshAt) })),
    issuers: [...identity.keySources(), ...tasks.keySources()].map((each) => ({
      ...each,
      freshAt: timeText(each.freshAt),
    })),
    ownSvid: identity.own === null ? null : { ...own, notAfter: timeText(notAfter === null ? null : notAfter * 1000) },
  };
}

/** ISO 8601, as logs and audit write times. `at` in milliseconds since the epoch. */
const timeText = (at: number | null): string | null => (at === null ? null : new Date(at).toISOString());

/**
 * What is wrong with the files and folders that a configuration names (bundles, keys, intermediates, policies, inventory,
 * audit, socket) and what they say against it, one line each; no problems when a sidecar would be ready and could use all.
 */
export async function examine(config: Config): Promise<Findings> {
  const identity = await startIdentity(config, { onBundle: () => {}, onKeys: () => {}, onOwnSvid: () => {} });
  const tasks = await startTasks(config, identity, systemClock.now(), () => {});
  const engine = new Engine();
  const policy = await openPolicy(config, engine);
  const { problems } = policy.status();
  const estate = estateFindings(policy, config);
  const found = [
    ...(await unusablePlaces(config)),
    ...identity.notReady(systemClock.now()),
    ...tasks.notReady(),
    ...problems.map(formatProblem),
    ...estate.problems,
  ];
  tasks.stop();
  identity.stop();
  await policy.close();
  engine.close();
  return { problems: found, notes: estate.notes };
}

/** What the configuration and the inventory in force say against each other; nothing where none is. */
function estateFindings(policy: SnapshotHolder, config: Config): Findings {
  const inventory = policy.current()?.inventory;
  return inventory === undefined ? { problems: [], notes: [] } : againstInventory(config, inventory, systemClock.now());
}

function openPolicy(config: Config, engine: Engine): Promise<SnapshotHolder> {
  const { folder, inventory, guardrails } = config.policy;
  return SnapshotHolder.open({
    paths: { folder, inventory, guardrails: guardrails.folder },
    settings: policySettings(config),
    engine,
    clock: systemClock.now,
  });
}

/** One check, by the one snapshot that is current when it begins. */
async function decideBySnapshot(
  policy: SnapshotHolder,
  input: CheckInput,
  stages: Stages,
  occasion: Occasion,
  now: number,
): Promise<Decision> {
  const snapshot = policy.current();
  if (snapshot === null)
    return { outcome: new Refusal('policy_unavailable', 'no snapshot could be loaded'), trail: {} };
  return await check(input, snapshot, stages, occasion, now);
}
