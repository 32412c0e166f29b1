import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { goTool } from './go-tool.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { until } from './until.ts';

/** A real OpenTelemetry Collector, built from test/tools/collector. It hands on what it takes to `to`, by OTLP as JSON. */
export async function startCollector(dir: string, to: string, logFiles: readonly string[] = []) {
  const port = await freePort();
  const config = {
    receivers: {
      otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } },
      ...(logFiles.length > 0 && {
        filelog: { include: logFiles, start_at: 'beginning', poll_interval: '50ms', max_log_size: '1MiB' },
      }),
    },
    exporters: { otlphttp: { endpoint: to, encoding: 'json', compression: 'none' } },
    service: {
      pipelines: {
        traces: { receivers: ['otlp'], exporters: ['otlphttp'] },
        ...(logFiles.length > 0 && { logs: { receivers: ['filelog'], exporters: ['otlphttp'] } }),
      },
    },
  };
  const file = join(dir, 'collector.yaml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  const program = new Program('the collector', await goTool('otel-collector'), ['--config', `file:${file}`]);
  const url = `http://127.0.0.1:${port}/v1/traces`;
  try {
    await until('the collector', async () => {
      program.assertRunning();
      return (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).ok
        ? true
        : null;
    });
  } catch (error) {
    await program.stop('SIGKILL');
    throw new Error(`the collector did not start:\n${program.tail()}`, { cause: error });
  }
  return { port, url, program, stop: () => program.stop() };
}
