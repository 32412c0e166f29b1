import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { removeFolder, temporaryFolder } from './folder.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { until } from './until.ts';

/** One answer of a query: labels and the value, or the values over time. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [seconds: number, value: string];
  readonly values?: readonly (readonly [seconds: number, value: string])[];
}

/** What is scraped: where, by which path. */
export interface Scraped {
  readonly port: number;
  readonly path: string;
}

/** A real Prometheus (Debian's), which scrapes jobs every second and evaluates rules as often. */
export const Prometheus = { start };
export type Prometheus = Awaited<ReturnType<typeof start>>;

async function start(jobs: Readonly<Record<string, Scraped>>, ruleFiles: readonly string[]) {
  const dir = temporaryFolder();
  const port = await freePort();
  const scrape_configs = Object.entries(jobs).map(([job_name, scraped]) => ({
    job_name,
    metrics_path: scraped.path,
    static_configs: [{ targets: [`127.0.0.1:${scraped.port}`] }],
  }));
  const global = { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' };
  // JSON is YAML.
  writeFileSync(join(dir, 'prometheus.yml'), JSON.stringify({ global, rule_files: ruleFiles, scrape_configs }));
  const program = new Program('Prometheus', 'prometheus', [
    `--config.file=${join(dir, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(dir, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  const ask = async (path: string, parameters: Readonly<Record<string, string>> = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}?${new URLSearchParams(parameters)}`);
    return (await response.json()) as { status: string; error?: string; data: never };
  };
  const result = async (path: string, parameters: Readonly<Record<string, string>>): Promise<readonly Series[]> => {
    const { status, error, data } = await ask(path, parameters);
    if (status !== 'success') throw new Error(`${parameters.query}: ${error}`);
    return (data as { result: readonly Series[] }).result;
  };
  const stop = async (): Promise<void> => {
    await program.stop('SIGKILL');
    removeFolder(dir);
  };
  try {
    await until('Prometheus', async () => {
      program.assertRunning();
      const response = await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => null);
      return response?.status === 200 ? true : null;
    });
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    stop,
    /** The answers of a query now. An error rejects. */
    query: (query: string): Promise<readonly Series[]> => result('/api/v1/query', { query }),
    /** The answers from `from` to `to`, seconds since the epoch, by steps of seconds. */
    range: (query: string, from: number, to: number, step: number): Promise<readonly Series[]> =>
      result('/api/v1/query_range', { query, start: String(from), end: String(to), step: String(step) }),
    /** Rules whose last evaluation failed, with why. */
    faults: async (): Promise<readonly string[]> => {
      const { data } = await ask('/api/v1/rules');
      const { groups } = data as { groups: { rules: { name: string; lastError?: string }[] }[] };
      return groups.flatMap(({ rules }) =>
        rules.flatMap((rule) => (rule.lastError ? [`${rule.name}: ${rule.lastError}`] : [])),
      );
    },
  };
}
