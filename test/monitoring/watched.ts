import { rows } from '../../k8s/monitoring/panels.ts';
import { ask } from '../support/client.ts';
import { Estate, PAYMENTS } from '../support/estate.ts';
import { Prometheus } from '../support/prometheus.ts';
import { ending } from '../support/started.ts';
import { ruleFiles } from './rules.ts';

/** The name of the job that scrapes the sidecar. */
export const JOB = 'authz';

/** The sidecar of the demo behind a real Envoy, both scraped by a real Prometheus with the rules that are shipped. */
export async function startWatched() {
  await using started = new AsyncDisposableStack();
  const estate = ending(started, await Estate.start({ envoy: 'uds' }));
  const jobs = {
    [JOB]: { port: estate.sidecar.statusPort, path: '/metrics' },
    envoy: { port: estate.envoy.adminPort, path: '/stats/prometheus' },
  };
  const prometheus = ending(started, await Prometheus.start(jobs, ruleFiles));
  const running = started.move();
  const send = (path: string, sender: string, method = 'GET') =>
    ask({ port: estate.envoy.port, svid: estate.svid(sender), host: PAYMENTS, path, method });
  return {
    estate,
    prometheus,
    /** Some requests through Envoy: allowed ones, and some that are denied for several reasons. */
    traffic: async (): Promise<void> => {
      for (let at = 0; at < 4; at++) await send(`/api/invoices/${at}`, '/ns/payments/sa/ledger');
      await send('/api/refunds', '/ns/support/sa/reader', 'POST');
      await send('/api/invoices/1', '/ns/nobody/sa/knows');
      await send('/nowhere', '/ns/payments/sa/ledger');
    },
    stop: () => running.disposeAsync(),
  };
}

/** Every query of the dashboard, as Grafana asks it about this job. */
export const asked = rows.flatMap(({ panels }) =>
  panels.flatMap(({ title, queries }) =>
    queries.map(({ expr, legend }) => ({ title, legend, query: expr.replaceAll('$job', JOB) })),
  ),
);
