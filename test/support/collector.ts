import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { goTool } from './go-tool.ts';
import { freePort } from './ports.ts';
import { Program } from './process.ts';
import { until } from './until.ts';

/** A real OpenTelemetry Collector, built from test/tools/collector, with this configuration. */
export async function runCollector(dir: string, config: object): Promise<Program> {
  const file = join(dir, 'collector.yaml');
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(config));
  return new Program('the collector', await goTool('otel-collector'), ['--config', `file:${file}`]);
}

/** One that takes traces, and hands them on to `to` by OTLP as JSON. */
export async function startCollector(dir: string, to: string) {
  const port = await freePort();
  const program = await runCollector(dir, {
    receivers: { otlp: { protocols: { http: { endpoint: `127.0.0.1:${port}` } } } },
    exporters: { otlphttp: { endpoint: to, encoding: 'json', compression: 'none' } },
    service: { pipelines: { traces: { receivers: ['otlp'], exporters: ['otlphttp'] } } },
  });
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
  return { port, url, stop: () => program.stop() };
}
