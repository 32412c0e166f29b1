import { once } from 'node:events';
import type { ClientRequest, IncomingMessage } from 'node:http';
import { text } from 'node:stream/consumers';
import { until } from './until.ts';

/** One server-sent event; its data as it was read. */
export interface ReadEvent {
  readonly name: string;
  readonly id: string;
  readonly data: unknown;
}

/** Reads the events of an answer, as HTML section 9.2.6 has it, as far as these streams go. `asking`: sent already. */
export async function readEvents(asking: ClientRequest) {
  const answer = await new Promise<IncomingMessage>((resolve, reject) => {
    asking.once('response', resolve);
    asking.once('error', reject);
  });
  const isStream = String(answer.headers['content-type']).startsWith('text/event-stream');
  const body = isStream ? '' : await text(answer);
  const events: ReadEvent[] = [];
  const comments: string[] = [];
  let lastId = '';
  let rest = '';
  if (isStream) {
    answer.setEncoding('utf8');
    answer.on('error', () => {});
    answer.on('data', (chunk: string) => {
      const blocks = (rest + chunk).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) take(block);
    });
  }
  const take = (block: string): void => {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const [, name = '', value = ''] = /^([^:]*): ?(.*)$/.exec(line) ?? [];
      if (name === '') comments.push(value);
      else fields.set(name, value);
    }
    lastId = fields.get('id') ?? lastId;
    const data = fields.get('data');
    if (data !== undefined) events.push({ name: fields.get('event') ?? '', id: lastId, data: JSON.parse(data) });
  };
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    body,
    events: events as readonly ReadEvent[],
    comments: comments as readonly string[],
    lastId: () => lastId,
    named: (name: string) => events.filter((event) => event.name === name),
    /** Waits for the first event for which this holds. */
    first: (what: string, holds: (event: ReadEvent) => boolean): Promise<ReadEvent> =>
      until(what, () => events.find(holds) ?? null, 30_000),
    /** Resolves at its end: true where it was ended in order. */
    ended: async (): Promise<boolean> => {
      if (!answer.closed) await once(answer, 'close');
      return answer.complete;
    },
    stopReading: () => answer.pause(),
    readOn: () => answer.resume(),
    leave: () => asking.destroy(),
  };
}
export type EventReader = Awaited<ReturnType<typeof readEvents>>;
