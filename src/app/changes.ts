import { Fault } from '../base/fault.ts';
import type { Config } from '../config/schema.ts';
import { unsafeInForce } from '../config/unsafe.ts';
import type { Audit } from '../observe/audit.ts';
import type { Log } from '../observe/log.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { SnapshotHolder } from '../policy/load/holder.ts';
import { formatProblem } from '../source/problem.ts';
import type { StoreEvent } from '../state/redis/status.ts';
import type { KeyEvent } from '../token/jwks-source.ts';
import type { TokenVerifier } from '../token/verifier.ts';
import type { BundleEvent } from '../trust/bundle-source.ts';
import type { OwnIdentityEvent } from '../trust/own-svid-source.ts';
import { timeText } from './part.ts';

/** What became of a file that says who may ask at a port: `files.ca` of its TLS, or `listen.peersFile`. */
export interface CheckPortEvent {
  readonly file: 'ca' | 'peers' | 'control-ca';
  readonly result: 'updated' | 'rejected';
  /** Of what is in force after it; null when nothing is. */
  readonly revision: string | null;
  readonly detail: string;
}

/** Where what happens beside checks is reported. */
export interface Reporters {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly audit: Pick<Audit, 'change'>;
}

/** What tells of bundles, keys, and what proves the check port and its clients. */
export interface IdentityEvents {
  readonly onBundle: (event: BundleEvent) => void;
  readonly onKeys: (event: KeyEvent) => void;
  readonly onOwnSvid: (event: OwnIdentityEvent) => void;
  readonly onCheckPort: (event: CheckPortEvent) => void;
}

/** Reports bundles, keys and the check port: to log and audit what changed or failed, to the metrics each attempt. */
export function identityEvents({ log, metrics, audit }: Reporters): IdentityEvents {
  const issuersWithKeys = new Set<string>();
  return {
    onBundle: ({ trustDomain, result, revision, detail }) => {
      metrics.bundleRead(trustDomain, result === 'rejected' ? 'refused' : 'loaded');
      const fields = { trustDomain, revision, detail };
      if (result === 'rejected' && revision === null) log.error('there is no trust bundle', { trustDomain, detail });
      else if (result === 'rejected') log.error('trust bundle refresh failed, keeping the last good one', fields);
      else if (result === 'updated') log.info('trust bundle updated', fields);
      else if (result === 'withdrawn') log.warn('trust bundle withdrawn', fields);
      if (result === 'updated' || result === 'withdrawn')
        audit.change({ event: 'bundle-changed', trustDomain, revision });
    },
    onKeys: ({ issuer, result, detail }) => {
      metrics.issuerKeysRead(issuer, result === 'rejected' ? 'refused' : 'loaded');
      if (result === 'updated') {
        issuersWithKeys.add(issuer);
        log.info('issuer keys read', { issuer, detail });
      } else if (result === 'rejected' && issuersWithKeys.has(issuer)) {
        log.error('issuer keys refresh failed, keeping the last good ones', { issuer, detail });
      } else if (result === 'rejected') log.error('there are no issuer keys', { issuer, detail });
    },
    onOwnSvid: ({ result, id, notAfter, detail }) => {
      const until = notAfter === null ? null : new Date(notAfter * 1000).toISOString();
      if (result === 'rotated') log.info('SVID rotated', { id, until });
      else if (result === 'withdrawn') log.error('SVID withdrawn', { detail });
      else if (notAfter === null) log.error('there is no SVID', { detail });
      else log.error('SVID renewal failed, using the current one until it expires', { id, until, detail });
    },
    onCheckPort: ({ file, result, revision, detail }) => {
      if (result === 'updated') {
        log.info('check port file loaded', { file, revision, detail });
        audit.change({ event: 'check-port-changed', file, revision });
      } else if (revision === null) log.error('there is no good check port file', { file, detail });
      else log.error('check port file refused, keeping the last good one', { file, revision, detail });
    },
  };
}

/** Reports the secrets of nonces that were read from their file. */
export function secretsEvent({ log }: Pick<Reporters, 'log'>) {
  return (read: readonly Uint8Array[] | Fault, kept: boolean): void => {
    if (read instanceof Fault) log.error('nonce secrets could not be read', { detail: read.detail, kept });
    else log.info('nonce secrets read', { secrets: read.length });
  };
}

/** Reports the keys of the token service that were read from their file; what was verified with others is forgotten. */
export function tokenKeysEvent({ log }: Pick<Reporters, 'log'>, tokens: Pick<TokenVerifier, 'forget'>) {
  return (read: readonly string[] | Fault): void => {
    if (!(read instanceof Fault)) tokens.forget();
    if (read instanceof Fault) log.error('token service keys could not be read', { detail: read.detail });
    else log.info('token service keys read', { keys: read });
  };
}

/** Reports what happens to the shared store. */
export function storeEvents({ log, metrics }: Reporters): (event: StoreEvent) => void {
  return (event) => {
    switch (event.kind) {
      case 'connected': {
        const { server, version, sinceMs } = event;
        metrics.storeEvent('connected');
        return log.info('store connected', { server, version, provesSince: timeText(sinceMs) });
      }
      case 'history':
        metrics.storeEvent('history');
        return log.warn('store began a new history', { provesSince: timeText(event.sinceMs), detail: event.detail });
      case 'lost':
        return log.error('store lost', { server: event.server, detail: event.detail });
      case 'unreachable':
        return log.error('store cannot be used', { detail: event.detail });
      case 'warning':
        return log.warn('store warning', { detail: event.detail });
    }
  };
}

/** Reports snapshots, the one that was loaded at the start included. `clock` gives milliseconds since the epoch. */
export function watchPolicy(
  policy: SnapshotHolder,
  config: Config,
  { log, metrics, audit }: Reporters,
  clock: () => number,
): void {
  const { label, guardrails } = config.policy;
  const unsafe = unsafeInForce(config).map(({ setting }) => setting);
  let previous: string | null = null;
  let disabled: readonly string[] = [];
  let recorded = '';
  const loaded = () => {
    const { revision, warnings, heldBack, problems } = policy.status();
    const policies = policy.current()?.policies ?? [];
    if (revision === null) return;
    const stillDisabled = guardrails.disable.filter(({ untilMs }) => clock() < untilMs).map(({ id }) => id);
    const bound = disabled.filter((id) => !stillDisabled.includes(id));
    const shadows = policies.filter(({ shadow }) => shadow);
    metrics.snapshot({
      revision,
      label,
      guardrails: policies.filter(({ guardrail, shadow }) => guardrail && !shadow).length,
      guardrailsDisabled: stillDisabled.length,
      forbids: policies.filter(({ effect, shadow }) => effect === 'forbid' && !shadow),
      shadows: shadows.map(({ id }) => id),
      shadowedForbids: shadows.filter(({ effect }) => effect === 'forbid').length,
    });
    metrics.teamsHeldBack(heldBack.length);
    metrics.reloaded('loaded');
    log.info('policy snapshot loaded', { revision, label, warnings: warnings.map(formatProblem) });
    if (heldBack.length > 0)
      log.error('team folders held back', { revision, teams: heldBack, problems: problems.map(formatProblem) });
    if (bound.length > 0) log.warn('guardrails bound again', { guardrails: bound, revision });
    audit.change({ event: 'policy-loaded', revision, previous, label, disabled: stillDisabled, unsafe });
    if (bound.length > 0) audit.change({ event: 'guardrail-bound', revision, guardrails: bound });
    previous = revision;
    recorded = '';
    disabled = stillDisabled;
  };
  const refused = () => {
    const { revision, problems: found, heldBack } = policy.status();
    metrics.teamsHeldBack(heldBack.length);
    const problems = found.map(formatProblem);
    metrics.reloaded('refused');
    if (revision === null) log.error('no policy snapshot could be loaded', { problems });
    else log.error('policy snapshot refused, keeping the last good one', { revision, problems });
    // What is tried again with each look, and refused for the same, is no further change.
    const now = [revision, ...problems].join('\n');
    if (now !== recorded) audit.change({ event: 'policy-refused', revision, problems });
    recorded = now;
  };
  policy.events.on('loaded', loaded);
  policy.events.on('refused', refused);
  if (policy.current() === null) refused();
  else loaded();
}
