import { systemClock } from '../base/clock.ts';
import { Refusal } from '../base/outcome.ts';
import { type Answerer, createAnswerer, refused } from '../check/answer.ts';
import { approvalsOf } from '../check/approvals.ts';
import { budgetsOf } from '../check/budgets.ts';
import { check } from '../check/check.ts';
import { recall } from '../check/recall.ts';
import { toRecord } from '../check/record.ts';
import { redeemer } from '../check/redeem.ts';
import { registered } from '../check/registered.ts';
import { revoked } from '../check/revoked.ts';
import type { Stages } from '../check/stages.ts';
import type { Config } from '../config/schema.ts';
import { serveStatus } from '../control/status.ts';
import { identify } from '../identity/identify.ts';
import type { ApprovalBook } from '../state/approvals/book.ts';
import type { TaskRegistry } from '../state/tasks/registry.ts';
import { TokenVerifier } from '../token/verifier.ts';
import { startActivity } from './activity.ts';
import { approvalReports, startApprovals } from './approvals/approvals.ts';
import { startBehaviour } from './behaviour/behaviour.ts';
import { identityEvents, secretsEvent, storeEvents, tokenKeysEvent, watchPolicy } from './changes.ts';
import { watchPeers } from './check-peers.ts';
import { atMostOnceASecond, startCheckPort } from './check-port.ts';
import { startCheckTls, startControlTls } from './check-tls.ts';
import { type Control, startControl } from './control/control.ts';
import { startNotices } from './control/notices.ts';
import { startTokenKeys } from './control/token-keys.ts';
import { afterForgetting, keyHeaders, startIdentity } from './identity.ts';
import { Later } from './later.ts';
import { watchRotations } from './legacy/rotation.ts';
import { counter, measureAtScrape, undelivered } from './measure.ts';
import { missingIn, type Part, statusOf, stopAll } from './part.ts';
import { startPolicy, watchEmergency, whenInventoryChanges } from './policy.ts';
import { revocationReports, startRevocations, watchRevokedNames } from './revocations.ts';
import { startState } from './state.ts';
import { startTasks } from './task.ts';
import { registryReports, startRegistry } from './tasks/registry.ts';
import { touchedAccounts } from './tasks/touched.ts';
import { type Outputs, startTelemetry } from './telemetry.ts';
import { startTracing } from './tracing/tracing.ts';
import { startTrust } from './trust.ts';

/** What the process gives to the program; main.ts is the one place that knows the process. */
export interface ProcessPorts extends Outputs {
  /** When the process started, in milliseconds since the epoch: no use of a proof before is remembered. */
  readonly startedAtMs: number;
}

export interface App {
  /** Where Envoy connects, as a gRPC client writes it; null where the check port is off. */
  readonly check: string | null;
  /** Where the control API is asked; null where it is off. */
  readonly control: string | null;
  /** The port of the status pages; null when they are off. */
  readonly statusPort: number | null;
  /** The tasks that began. */
  readonly tasks: TaskRegistry;
  /** The approvals that were asked for; null where nothing could be granted. */
  readonly approvals: ApprovalBook | null;
  /** Looks at policies and inventory again now, and opens audit files anew that were moved away. */
  reload(): Promise<void>;
  /** Stops taking checks, answers those in flight, writes what waits, and closes everything. */
  stop(): Promise<void>;
}

/** How long before Envoy's deadline an answer must be under way. */
const MARGIN_MS = 10;
/** How often it is looked at whether time alone made something stale. */
const READINESS_MS = 1000;

/**
 * Builds every part by hand, and serves. Throws when a port, a sink or a file of the configuration cannot be used; nothing
 * is left of what was begun then.
 */
export async function start(config: Config, ports: ProcessPorts): Promise<App> {
  const begun: Pick<Part, 'stop'>[] = [];
  try {
    return await build(config, ports, begun);
  } catch (error) {
    await stopAll(begun);
    throw error;
  }
}

async function build(config: Config, ports: ProcessPorts, begun: Pick<Part, 'stop'>[]): Promise<App> {
  const begin = <P extends Pick<Part, 'stop'>>(part: P): P => {
    begun.push(part);
    return part;
  };
  const clock = systemClock.now;
  const telemetry = begin(startTelemetry(config, ports));
  const { log, metrics, unsafe } = telemetry;
  const tokens = new TokenVerifier({ byteLimit: config.limits.rememberedTokenBytes });
  const { onBundle, onKeys, ...onCheckTls } = identityEvents(telemetry);
  const events = {
    onBundle: afterForgetting(tokens, onBundle),
    onKeys: afterForgetting(tokens, onKeys),
  };
  const tracing = begin(await startTracing(config, telemetry, ports.version));
  const trust = begin(await startTrust(config, events.onBundle));
  const checkTls = begin(await startCheckTls(config, trust, onCheckTls));
  const controlTls = begin(await startControlTls(config, trust, onCheckTls));
  const identity = begin(await startIdentity(config, trust, tokens, events.onKeys));
  const stored = begin(await startState(config, ports.startedAtMs, storeEvents(telemetry)));
  const { state } = stored;
  const activity = begin(startActivity(config, stored, telemetry));
  const { tokenService } = config;
  const tokenKeys =
    tokenService === null ? null : begin(await startTokenKeys(tokenService.keys, tokenKeysEvent(telemetry, tokens)));
  const taskEvents = { ...events, onSecrets: secretsEvent(telemetry) };
  const tasks = begin(await startTasks(config, trust, identity, state, taskEvents, tokenKeys?.source ?? null));
  const policy = begin(
    await startPolicy(config, {
      onLost: (why) => log.error('policy engine lost', { why }),
      onReplaced: (milliseconds) => {
        metrics.counted('authz_engine_rebuilds_total');
        log.warn('policy engine replaced', { milliseconds: Math.round(milliseconds) });
      },
    }),
  );
  watchPolicy(policy.holder, config, telemetry, clock);
  watchEmergency(policy.emergency, telemetry, clock);
  const rotations = begin(watchRotations(policy.holder, log, systemClock));
  policy.holder.events.on(
    'loaded',
    whenInventoryChanges(policy.holder.current(), () => tokens.forget()),
  );
  for (const problem of policy.findings().problems) log.warn('configuration problem', { problem });
  watchPeers(checkTls.peers, policy.holder, log);
  const reports = revocationReports(telemetry);
  const revocations = begin(await startRevocations(config, stored.shared, reports, policy.revocable));
  watchRevokedNames(revocations, policy.holder, log);
  const registry = begin(await startRegistry(config, stored.shared, revocations.keys, registryReports(log, metrics)));
  const grants = approvalReports(log, metrics);
  const approvals = begin(await startApprovals(config, stored.shared, revocations.keys, grants, ports.startedAtMs));
  const quarantining = { book: revocations.book, isShared: revocations.stored !== null };
  const behaviour = begin(await startBehaviour(config, policy.holder, quarantining, telemetry, clock));
  const told = { log, metrics, state, approvals: approvals.book, policy: policy.holder, clock: systemClock };
  const notices = begin(await startNotices(config, told));

  // A second instance must not write to the audit file of the first: the ports are taken before any sink is opened, and
  // checks that come meanwhile wait.
  const answerer = new Later<Answerer>();
  const onBug = (error: unknown, decision: string) => log.error('bug: check refused', { decision, error });
  const { check: checkAddress } = config.listen;
  const server =
    checkAddress === null
      ? null
      : await startCheckPort(config, checkAddress, checkTls, telemetry, {
          answer: (call) => answerer.use(({ answer }) => answer(call)),
          onBug,
        });
  if (server !== null) begin({ stop: () => server.drain(0, 0) });
  const remembering = [tasks, revocations, registry, approvals, notices, behaviour, tracing];
  const keys = tokenKeys === null ? [] : [tokenKeys];
  const parts = [policy, trust, checkTls, identity, stored, activity, ...keys, ...remembering, telemetry];
  let [starting, stopping] = [true, false];
  const readiness = () => {
    const missing = [
      ...(starting ? ['starting'] : []),
      ...(stopping ? ['shutting down'] : []),
      ...missingIn(parts, clock()),
      ...controlTls.missing(clock()),
    ];
    server?.setServing(missing.length === 0);
    return { ready: missing.length === 0, missing };
  };
  const running = () => ({ version: ports.version, ...readiness() });
  let control: Control | null = null;
  const shown = () => ({ ...statusOf(parts, clock()), ...control?.status() });
  const status =
    config.listen.status === null
      ? null
      : await serveStatus({
          ...config.listen.status,
          readiness,
          status: () => ({ ...running(), ...shown() }),
          metrics: () => metrics.scrape(),
          failed: (path, error) => log.error('status page failed', { path, error }),
        });
  if (status !== null) begin({ stop: () => status.close() });

  const revocationSource = {
    current: revocations.current,
    ownerOf: policy.ownerOf,
    backdatingSeconds: (trustDomain: string) => (config.identity.trustDomains[trustDomain]?.backdatingMs ?? 0) / 1000,
  };
  const registrations = {
    ...registry,
    history: () => state.history(),
    widerPurposes: (purpose: string) => policy.holder.current()?.inventory.widerPurposes(purpose) ?? [],
  };
  control = await startControl(config, {
    log,
    metrics,
    withAudit: telemetry.withAudit,
    identity,
    revocations: revocationSource,
    book: revocations.book,
    activity: activity.activity,
    behaviour: behaviour.known,
    tasks: registry,
    approvals: approvals.book,
    policy: policy.holder,
    registrations,
    tokenKeys,
    revocable: policy.revocable,
    tls: controlTls.workloads,
    consoleTls: controlTls.people,
    sessions: stored.shared,
    onKeys,
    state: () => ({ ...running(), revision: policy.holder.status().revision, parts: shown() }),
    refused: atMostOnceASecond((address, why, cause) =>
      log.warn('connection to the control port refused', { address, cause, why }),
    ),
  });
  if (control !== null) begin(control);
  const audit = await telemetry.openAudit();
  const stages: Stages = {
    hosts: config.hosts,
    enforcement: config.policy.unsafeObserveOnly ? 'unsafeObserveOnly' : 'enforce',
    taskHeaders: Object.values(config.task.headers ?? {}),
    keyHeaders: keyHeaders(config),
    readCredentials: identity.readCredentials,
    identify: (input, credentials, target, known, nowMs, onVerified) =>
      identify(input, credentials, target, known, identity.rules, nowMs, onVerified),
    readTask: tasks.read,
    recall: (caller, task, input, headers, nowMs) =>
      revoked(revocationSource, caller, task, input.connection.checkPeer, nowMs) ??
      registered(registrations, task, nowMs) ??
      recall(caller, task, input, headers, nowMs),
    behaviour: behaviour.stage,
    budgets: (task, target, nowMs) => budgetsOf(registrations, task, target, nowMs),
    touched: touchedAccounts(config, state, registry, ports.startedAtMs),
    redeem: redeemer(state, clock, revocations.revision),
    approvals: approvalsOf(approvals.book, () => state.history(), config.control.url),
  };
  const said = { label: config.policy.label, unsafe, queryParameters: new Set(config.audit.queryParameters) };
  const answering = createAnswerer({
    decide: (input, context, nowMs) => {
      // The one snapshot that is current when the check begins.
      const snapshot = policy.current();
      return snapshot === null
        ? refused(new Refusal('policy_unavailable', 'no snapshot could be loaded'))
        : check(input, snapshot, stages, context, nowMs);
    },
    record: (result, waitMs) => audit.record(toRecord(result, said), waitMs),
    trace: tracing.trace,
    listeners: [counter(metrics), activity.listener, behaviour.listener, ...tracing.listeners],
    onListenerBug: (error, decision) => log.error('bug: listener failed', { decision, error }),
    undelivered: undelivered(metrics, audit),
    onBug,
    clock,
    limits: {
      concurrentChecks: config.limits.concurrentChecks,
      marginMs: MARGIN_MS,
      deadlineMs: config.limits.deadlineMs,
    },
  });
  answerer.set(answering);
  for (const { measure } of [activity, behaviour]) metrics.beforeScrape(measure);
  metrics.beforeScrape(() => {
    for (const part of [registry, approvals, notices, tracing, controlTls, control])
      metrics.gauges(part?.gauges(clock()) ?? {});
  });
  const more = { policy: policy.holder, ready: () => readiness().ready, inflight: answering.inflight };
  const measured = { trust, checkTls, identity, tasks, state, store: stored.store, revocations, audit, ...more };
  measureAtScrape(metrics, measured, config, clock);
  // What loading left takes a quarter of the memory: it is given back before anybody waits for an answer.
  await globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
  starting = false;
  readiness();
  const looking = setInterval(readiness, READINESS_MS);
  const addresses = { check: server?.target ?? null, control: control?.target ?? null };
  const statusPort = status?.port ?? null;
  log.info('serving', { ...addresses, status: statusPort, version: ports.version });
  return {
    ...addresses,
    statusPort,
    tasks: registry.registry,
    approvals: approvals.book,
    reload: async () => {
      audit.reopen();
      await policy.holder.refresh();
    },
    stop: async () => {
      stopping = true;
      readiness();
      clearInterval(looking);
      rotations.stop();
      await server?.drain(config.limits.drainDelayMs, config.limits.drainMs);
      await control?.stop();
      await controlTls.stop();
      await stopAll(parts);
      await status?.close();
      log.info('stopped');
    },
  };
}
