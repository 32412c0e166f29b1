import type { Writable } from 'node:stream';
import { systemClock } from '../base/clock.ts';
import type { Config } from '../config/schema.ts';
import { unsafeInForce, unsafeSettings } from '../config/unsafe.ts';
import { Audit } from '../observe/audit.ts';
import { createLog } from '../observe/log.ts';
import { Metrics } from '../observe/metrics.ts';
import { FileSink, streamSink } from '../observe/sink.ts';
import type { Reporters } from './changes.ts';
import { Later } from './later.ts';
import type { Part } from './part.ts';

/** Where lines of log and audit go, and what built them. */
export interface Outputs {
  readonly stdout: Writable;
  /** Takes one line of the log, with its line feed. */
  readonly log: (line: string) => void;
  readonly version: string;
  /** The version of Node. */
  readonly node: string;
}

/** Log, metrics and audit, running. */
export interface Telemetry extends Part, Reporters {
  /** Unsafe settings that are in force. */
  readonly unsafe: readonly string[];
  /** Opens every sink of the audit; changes that were reported before are its first lines. Throws when one cannot be written. */
  openAudit(): Promise<Audit>;
  /** Runs with the audit, once it is open. */
  withAudit<R>(run: (audit: Audit) => Promise<R>): Promise<R>;
}

/** Every memory whose fill level is measured. */
const CACHES = [
  'certificates',
  'tokens',
  'verdicts',
  'proofs',
  'counts',
  'touched',
  'denials',
  'allows',
  'workloads',
  'behaviour',
] as const;

/** How long the audit may take at the end to write what waits. */
const AUDIT_FLUSH_MS = 5000;

export function startTelemetry(config: Config, { stdout, log: write, version, node }: Outputs): Telemetry {
  const { level } = config.log;
  const log: Reporters['log'] = createLog({ level, write, now: systemClock.now });
  const metrics = metricsFor(config, version, node);
  const inForce = unsafeInForce(config);
  for (const each of inForce) log.warn('unsafe setting in force', each);
  const unsafe = inForce.map(({ setting }) => setting);
  const opened = new Later<Audit>();
  let audit: Audit | null = null;
  return {
    log,
    metrics,
    unsafe,
    audit: { change: (what) => void opened.use(async (open) => open.change(what)) },
    withAudit: (run) => opened.use(run),
    openAudit: async () => {
      const { sinks, queue, onFailure } = config.audit;
      audit = await Audit.start({
        sinks: sinks.map((sink) => (sink.to === 'stdout' ? streamSink('stdout', stdout) : new FileSink(sink.path))),
        queue,
        onFailure,
        now: systemClock.now,
        start: { version, unsafe },
        report: (sink, result, records, cause) => {
          metrics.audited(sink, result, records);
          if (cause !== null) log.error('audit sink failed', { sink, cause });
        },
      });
      opened.set(audit);
      return audit;
    },
    missing: () => [],
    status: () => ({ unsafe }),
    stop: () => audit?.close(AUDIT_FLUSH_MS),
  };
}

/** The metrics of one configuration: every label comes from it or from the code. */
export function metricsFor(config: Config, version: string, node: string): Metrics {
  const { identity, task, audit } = config;
  const fetched = [...identity.oidc, ...task.issuers.filter((issuer) => issuer.kind !== 'jwt-svid')];
  const metrics = new Metrics({
    trustDomains: Object.keys(identity.trustDomains),
    issuers: [...new Set(fetched.map(({ issuer }) => issuer))],
    caches: CACHES,
    sinks: audit.sinks.map(({ to }) => to),
    unsafe: unsafeSettings,
  });
  metrics.build(version, node);
  for (const { setting } of unsafeInForce(config)) metrics.unsafe(setting);
  for (const [name, { maxStaleMs }] of Object.entries(identity.trustDomains)) {
    metrics.bundleMaxStale(name, maxStaleMs / 1000);
  }
  for (const { issuer, maxStaleMs } of fetched) metrics.issuerKeysMaxStale(issuer, maxStaleMs / 1000);
  return metrics;
}
