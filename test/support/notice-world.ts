import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';
import { noticeOf } from '../../src/control/notices/notice.ts';
import { Receiver, type ReceiverEvent, type ReceiverOptions } from '../../src/control/notices/receiver.ts';
import { MemoryState } from '../../src/state/memory.ts';
import { removeFolder, temporaryFolder } from './folder.ts';
import { HttpsKeys } from './https-keys.ts';
import { TestClock } from './test-clock.ts';

/** A secret of Standard Webhooks. */
export const newSecret = (bytes = 32): string => `whsec_${randomBytes(bytes).toString('base64')}`;

/** What came one after the other: each is awaited, none is waited for by time. */
export class Arrivals<T> {
  readonly all: T[] = [];
  #taken = 0;
  readonly #waiting: ((value: T) => void)[] = [];

  readonly push = (value: T): void => {
    this.all.push(value);
    const waiting = this.#waiting.shift();
    if (waiting === undefined) return;
    this.#taken++;
    waiting(value);
  };

  /** The first one that nobody took. */
  next(): Promise<T> {
    if (this.#taken < this.all.length) return Promise.resolve(this.all[this.#taken++]!);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

export interface Posted {
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A receiver of webhooks over TLS; `answer` is its status, or does it by hand. */
export async function webhookServer(
  t: TestContext,
  answer: () => number | ((response: ServerResponse) => void) = () => 204,
) {
  const posted = new Arrivals<Posted>();
  const server = await HttpsKeys.start(async (request, response) => {
    const body = await text(request);
    const given = answer();
    if (typeof given === 'number') response.writeHead(given).end();
    else given(response);
    posted.push({ url: request.url ?? '', headers: request.headers, body });
  });
  t.after(() => server.stop());
  return { url: new URL(`${server.url}/hooks/of-the-team?key=k`), ca: server.ca.certificate.pem, posted };
}

/** Files of a test, which end with it. */
export function filesOf(t: TestContext) {
  const folder = temporaryFolder();
  t.after(() => removeFolder(folder));
  return (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
}

/** A receiver of this process for a server, on a clock that the test moves, with what it told. */
export function receiverFor(t: TestContext, url: URL, ca: string, more: Partial<ReceiverOptions> = {}) {
  const file = filesOf(t);
  const secret = newSecret();
  const clock = new TestClock(Date.now());
  const events = new Arrivals<ReceiverEvent>();
  const receiver = new Receiver({
    name: 'oncall',
    url,
    ca: file('ca.pem', ca),
    secretFiles: [file('secret', `${secret}\n`)],
    format: 'standard',
    events: ['approval.requested', 'approval.granted', 'guardrail.expired'],
    page: null,
    state: new MemoryState({ maxEntries: 1000, startedAtMs: clock.now() }),
    clock,
    random: () => 0,
    onEvent: events.push,
    ...more,
  });
  t.after(() => receiver.stop());
  return { receiver, clock, events, secret, file };
}

/** A notice of a request for an approval, of use for so long. */
export const requested = (id: string, atMs: number, usefulMs = 96 * 3_600_000, approvals = ['refund-over-500']) =>
  noticeOf(
    'approval.requested',
    [id],
    { atMs, untilMs: atMs + usefulMs },
    {
      id,
      approvals,
      caller: 'spiffe://prod.example/ns/agents/sa/refund-agent',
      host: 'payments.internal',
      sensitivity: 'high',
      expires: new Date(atMs + usefulMs).toISOString(),
    },
  );
