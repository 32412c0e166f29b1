import assert from 'node:assert/strict';
import type { IncomingHttpHeaders } from 'node:http';
import { request } from 'node:https';
import { test } from 'node:test';
import { startConsoleWorld } from '../../support/console-world.ts';

/** What a port answers that is reached as `host`. */
async function answered(url: URL, path: string, headers: Record<string, string>) {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; headers: IncomingHttpHeaders }>();
  const place = { host: '127.0.0.1', port: url.port, servername: url.hostname };
  const asking = request({ ...place, path, headers, agent: false, rejectUnauthorized: false }, (answer) => {
    answer.resume();
    answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers }));
  });
  asking.on('error', reject).end();
  return promise;
}

test('each answer of the console, those of the API too, is for its own pages alone, and over TLS from then on', async () => {
  for (const name of ['localhost', 'console.example']) {
    let url = new URL('https://localhost');
    const world = await startConsoleWorld({
      edit: ({ control }) => {
        const console = control?.console as { url: string };
        url = new URL(console.url.replace('localhost', name));
        console.url = url.origin;
      },
    });
    const always = name === 'localhost' ? undefined : 'max-age=31536000';
    try {
      const own = { host: url.host, 'sec-fetch-site': 'same-origin' };
      for (const [status, path, headers] of [
        [200, '/', own],
        [401, '/session', own],
        [401, '/decisions', own],
        [401, '/events', { ...own, accept: 'text/event-stream' }],
        [404, '/nothing', own],
        [417, '/decisions', { ...own, expect: 'a wonder' }],
        [431, '/decisions', { ...own, x: 'x'.repeat(20_000) }],
      ] as readonly (readonly [number, string, Record<string, string>])[]) {
        const answer = await answered(url, path, headers);
        const { 'strict-transport-security': hsts, 'cross-origin-resource-policy': policy } = answer.headers;
        assert.deepEqual([answer.status, hsts, policy], [status, always, 'same-origin'], `${name}${path}`);
      }
    } finally {
      await world.stop();
    }
  }
});
