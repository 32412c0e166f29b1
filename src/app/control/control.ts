import { systemClock } from '../../base/clock.ts';
import type { RegistrationSource } from '../../check/registered.ts';
import type { RevocationSource } from '../../check/revoked.ts';
import type { Config } from '../../config/schema.ts';
import { WorkerApart } from '../../control/api/apart.ts';
import { approvalEvents, decisionEvents } from '../../control/api/event-sources.ts';
import { routes } from '../../control/api/routes.ts';
import { EventStreams } from '../../control/events/event-streams.ts';
import { EventFeed } from '../../control/events/feed.ts';
import { JudgedLately } from '../../control/events/judged.ts';
import { type ApiOptions, ControlApi } from '../../control/http/api.ts';
import {
  type Apart,
  type ControlParts,
  type ControlTasks,
  glassOutcomes,
  type StateShown,
  type TaskIssuerRules,
  type TokenGrant,
} from '../../control/http/parts.ts';
import { serveControl } from '../../control/http/server.ts';
import type { ReadCredentials } from '../../identity/credentials.ts';
import type { IdentityRules } from '../../identity/identify.ts';
import type { Audit } from '../../observe/audit.ts';
import type { Log } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';
import type { AuditBody } from '../../observe/record.ts';
import { controlPolicies } from '../../policy/control/decide.ts';
import type { SnapshotHolder } from '../../policy/load/holder.ts';
import type { Activity } from '../../state/activity/model.ts';
import type { ApprovalBook } from '../../state/approvals/book.ts';
import type { RevocationBook } from '../../state/revocation-book.ts';
import type { RevocableNames } from '../../state/revocation-names.ts';
import { LEEWAY_SECONDS } from '../../token/jws-claims.ts';
import type { BundleSnapshot } from '../../trust/bundle.ts';
import type { TlsServing } from '../../trust/tls-server.ts';
import { authenticator } from './authenticate.ts';
import type { ConsoleServer, ConsoleStands } from './console.ts';
import type { TokenKeys } from './token-keys.ts';
import { tokenServiceOf } from './token-service.ts';

/** What the control port stands on, running. */
export interface ControlStands {
  readonly log: Log;
  readonly metrics: Metrics;
  /** Runs with the audit, once it is open. */
  readonly withAudit: <R>(run: (audit: Audit) => Promise<R>) => Promise<R>;
  readonly identity: { readonly rules: IdentityRules; readonly readCredentials: ReadCredentials };
  readonly revocations: RevocationSource;
  readonly book: RevocationBook;
  readonly activity: Activity;
  readonly behaviour: ControlParts['behaviour'];
  readonly tasks: Omit<ControlTasks, 'issuers' | 'subjectIssuers'>;
  /** Null where nothing could be granted. */
  readonly approvals: ApprovalBook | null;
  readonly policy: SnapshotHolder;
  readonly registrations: RegistrationSource;
  /** Null without `tokenService`. */
  readonly tokenKeys: TokenKeys | null;
  /** What revocations can name; null where no inventory is in force. */
  readonly revocable: () => RevocableNames | null;
  /** Null without `listen.control.tls`. */
  readonly tls: { readonly ownSvid: TlsServing['ownSvid']; readonly bundles: () => BundleSnapshot } | null;
  /** Null without `control.console`. */
  readonly consoleTls: Pick<TlsServing, 'ownSvid'> | null;
  /** As in `ConsoleStands`. */
  readonly sessions: ConsoleStands['store'];
  readonly onKeys: ConsoleStands['onKeys'];
  readonly state: () => StateShown;
  /** Told of each connection that TLS refused: strangers cause it. */
  readonly refused: TlsServing['onRefused'];
}

/** The control port, running. */
export interface Control {
  readonly target: string;
  status(): Readonly<Record<string, unknown>>;
  gauges(): { readonly authz_control_streams: number };
  stop(): Promise<void>;
}

/** How long a call waits for its line of the audit. */
const AUDIT_MS = 2000;

/** Serves the control API of the configuration; null where it is off. Throws when the port cannot be taken. */
export async function startControl(config: Config, stands: ControlStands): Promise<Control | null> {
  const { control: port } = config.listen;
  if (port === null) return null;
  const { log, metrics, withAudit, identity, tls } = stands;
  const { audience } = config.control;
  const apart = new WorkerApart(() => stands.policy.sources());
  const { activity, approvals, tasks } = stands;
  const { now } = systemClock;
  const sources = () => [decisionEvents(activity), approvalEvents(approvals, tasks.registry.lookup, now)];
  const streams = new EventStreams(new EventFeed(sources, systemClock), systemClock);
  const common = {
    parts: { ...partsOf(config, stands, apart), streams, judged: new JudgedLately() },
    routes,
    audit: (body: AuditBody, orWithdraw: boolean) =>
      withAudit(async (audit) => (await audit.append(body, AUDIT_MS, orWithdraw)) !== null),
    answered: (route: string | null, status: number) =>
      metrics.control('authz_control_requests_total', { call: route ?? NONE, status: `${Math.floor(status / 100)}xx` }),
    dropped: (calls: number) => metrics.control('authz_control_lines_dropped_total', {}, calls),
    onBug: (error: unknown, decision: string) => log.error('bug: control call failed', { decision, error }),
    clock: systemClock.now,
  };
  const authenticate = authenticator({
    ...identity,
    bundles: tls?.bundles ?? identity.rules.bundles,
    maxLifetimeSeconds: config.identity.maxLifetime.x509Ms / 1000,
    audience,
    revocations: stands.revocations,
  });
  const api = new ControlApi({ ...common, authenticate });
  const onRefused: TlsServing['onRefused'] = (address, why, cause) => {
    metrics.control('authz_control_tls_refused_total', { cause });
    stands.refused(address, why, cause);
  };
  const serving = tls === null ? null : { ownSvid: tls.ownSvid, clock: systemClock, onRefused };
  beginSeries(metrics);
  const server = await serveControl(port.address, serving, port.hosts, api);
  let people: ConsoleServer | null = null;
  const stop = async (): Promise<void> => {
    streams.close();
    await Promise.all([server.close(config.limits.drainMs), people?.close(config.limits.drainMs)]);
    await apart.stop();
    api.close();
  };
  try {
    people = await startPeople(config, stands, common, onRefused);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    target: server.target,
    status: () => ({
      control: {
        listens: server.target,
        inflight: api.inflight,
        streams: streams.size,
        console: people === null ? null : { url: people.target, inflight: people.inflight() },
      },
    }),
    gauges: () => ({ authz_control_streams: streams.size }),
    stop,
  };
}

/** The listener for people; null where they cannot sign in. */
async function startPeople(
  config: Config,
  { consoleTls, revocations, metrics, log, sessions, onKeys }: ControlStands,
  api: Omit<ApiOptions, 'authenticate'>,
  onRefused: TlsServing['onRefused'],
): Promise<ConsoleServer | null> {
  if (consoleTls === null) return null;
  // Most processes have no console, and need not know how one is made.
  const { startConsole } = await import('./console.ts');
  for (const result of ['signed-in', 'refused', 'signed-out', 'ended-by-provider'])
    metrics.control('authz_control_sign_ins_total', { result }, 0);
  return startConsole(config, {
    api,
    revocations,
    tls: { ownSvid: consoleTls.ownSvid, clock: systemClock, onRefused },
    store: sessions,
    onKeys,
    audit: api.audit,
    counted: (result) => metrics.control('authz_control_sign_ins_total', { result }),
    dropped: api.dropped,
    onBug: (error) => log.error('bug: control call failed', { decision: '', error }),
  });
}

/** Of requests that named no call. */
const NONE = 'none';

function beginSeries(metrics: Metrics): void {
  for (const call of [...routes.map(({ name }) => name), NONE])
    for (const status of ['2xx', '4xx', '5xx']) metrics.control('authz_control_requests_total', { call, status }, 0);
  for (const cause of ['handshake', 'timeout']) metrics.control('authz_control_tls_refused_total', { cause }, 0);
  metrics.control('authz_control_lines_dropped_total', {}, 0);
  for (const outcome of glassOutcomes) metrics.control('authz_break_glass_total', { outcome }, 0);
  for (const grant of grants) metrics.control('authz_control_tokens_issued_total', { grant }, 0);
}

/** For which issuers a task can begin. Where several entries have one name, what either may state can begin. */
function issuerRules(issuers: Config['task']['issuers']): ReadonlyMap<string, TaskIssuerRules> {
  const rules = new Map<string, TaskIssuerRules>();
  for (const issuer of issuers) {
    // Those begin at the token service alone.
    if (issuer.registration === 'issued') continue;
    const names = issuer.kind === 'jwt-svid' ? issuer.trustDomains.map((name) => `spiffe://${name}`) : [issuer.issuer];
    for (const name of names) {
      const other = rules.get(name);
      rules.set(name, {
        trustDomains: [...(other?.trustDomains ?? []), ...issuer.trustDomains],
        purposes: [...(other?.purposes ?? []), ...issuer.purposes],
        // The leeway twice: a token may come from a clock that is ahead, and is accepted beyond its expiry.
        keptMs: Math.max(other?.keptMs ?? 0, issuer.maxLifetimeMs + 2 * LEEWAY_SECONDS * 1000),
      });
    }
  }
  return rules;
}

/** Whose people the subjects of tasks are. Where several entries have one name, all of them must say the same. */
function subjectIssuersOf(issuers: Config['task']['issuers']): ReadonlyMap<string, string> {
  const found = new Map<string, Set<string | null>>();
  for (const issuer of issuers) {
    const names = issuer.kind === 'jwt-svid' ? issuer.trustDomains.map((name) => `spiffe://${name}`) : [issuer.issuer];
    for (const name of names) found.set(name, (found.get(name) ?? new Set()).add(issuer.subjectIssuer));
  }
  const known = [...found].flatMap(([name, [one, ...others]]) =>
    one != null && others.length === 0 ? [[name, one]] : [],
  );
  return new Map(known as [string, string][]);
}

const grants: readonly TokenGrant[] = ['start', 'hand-on', 'refresh'];

function partsOf(config: Config, stands: ControlStands, apart: Apart): Omit<ControlParts, 'streams' | 'judged'> {
  const { policy, revocable, state, book, activity, tasks, approvals, tokenKeys: keys, metrics } = stands;
  const issued = (grant: TokenGrant) => metrics.control('authz_control_tokens_issued_total', { grant });
  return {
    tokenService: tokenServiceOf(config, keys === null ? null : { ...stands, registry: tasks.registry, keys, issued }),
    tasks: {
      ...tasks,
      issuers: issuerRules(config.task.issuers),
      subjectIssuers: subjectIssuersOf(config.task.issuers),
    },
    book,
    approvals,
    measures: {
      decided: (decision, seconds) => metrics.approvalDecided(decision, seconds),
      brokeGlass: (outcome) => metrics.control('authz_break_glass_total', { outcome }),
    },
    revocations: stands.revocations.current,
    activity,
    behaviour: stands.behaviour,
    apart,
    known: revocable,
    snapshot: () => {
      const snapshot = policy.current();
      if (snapshot === null) return null;
      const { inventory } = snapshot;
      return {
        inventory,
        policies: controlPolicies(snapshot),
        approvalTerms: (names) => snapshot.approvalTerms(names),
      };
    },
    state,
  };
}
