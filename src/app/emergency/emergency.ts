import type { Audit } from '../../observe/audit.ts';
import type { Log } from '../../observe/log.ts';
import type { Metrics } from '../../observe/metrics.ts';
import { EMERGENCY } from '../../policy/decide/emergency.ts';
import type { EmergencyHolder } from '../../policy/load/emergency-holder.ts';
import { formatProblem } from '../../source/problem.ts';

/** What `/status` shows of emergency forbids. */
export function emergencyStatus(holder: EmergencyHolder) {
  const { policies, problems } = holder.status();
  return {
    policies: policies.map(({ id, file, untilMs }) => ({ id, file, until: instantOf(untilMs) })),
    problems: problems.map(formatProblem),
  };
}

interface Reporters {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly audit: Pick<Audit, 'change'>;
}

/** Reports emergency forbids, those included that are there at the start, and measures them before each scrape. */
export function watchEmergency(holder: EmergencyHolder, { log, metrics, audit }: Reporters, clock: () => number): void {
  const inForce = (): void => {
    const policies = holder.status().policies.map(({ id, untilMs }) => `${id} until ${instantOf(untilMs)}`);
    log.warn('emergency forbids in force', { policies });
    audit.change({ event: 'emergency-changed', policies });
  };
  const refused = (): void => {
    const problems = holder.status().problems.map(formatProblem);
    log.error('emergency forbids refused', { problems });
    audit.change({ event: 'emergency-refused', problems });
  };
  holder.events.on('changed', (_, ended) => {
    for (const { id } of ended) log.warn('emergency forbid ended', { policy: id });
    inForce();
  });
  holder.events.on('ending', ({ id, untilMs }) =>
    log.warn('emergency forbid ends within a day', { policy: id, until: instantOf(untilMs) }),
  );
  holder.events.on('refused', refused);
  metrics.beforeScrape(() => {
    const { policies, problems } = holder.status();
    const endsMs = Math.min(...policies.map(({ untilMs }) => untilMs));
    metrics.gauges({
      authz_emergency_forbids: policies.length,
      authz_emergency_out_of_date: Number(problems.length > 0),
      authz_emergency_end_seconds: policies.length === 0 ? null : (endsMs - clock()) / 1000,
    });
  });
  if (holder.status().policies.length > 0) inForce();
  if (holder.status().problems.length > 0) refused();
  holder.remind();
}

/** Whether some of these ids of policies is that of an emergency forbid. */
export const byEmergency = (policies: readonly string[]): boolean => policies.some((id) => id.startsWith(EMERGENCY));

const instantOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
