import { CheckClient } from '../support/check-client.ts';
import type { Sidecar } from '../support/sidecar.ts';

const CONNECTIONS = 4;
const IN_FLIGHT = 16;

/** How a server was kept busy: as many checks as it answered, and how many of these did not allow. */
export interface Driven {
  readonly checks: number;
  readonly seconds: number;
  readonly wrong: number;
}

/** Keeps 16 checks on each of 4 connections in flight, each with the message that is next, and looks at each answer. */
export async function drive(target: Sidecar['check'], message: () => Uint8Array, seconds: number): Promise<Driven> {
  const clients = Array.from({ length: CONNECTIONS }, () => new CheckClient(target));
  const start = performance.now();
  const end = start + seconds * 1000;
  let checks = 0;
  let wrong = 0;
  const worker = async (client: CheckClient): Promise<void> => {
    while (performance.now() < end) {
      const { status } = await client.check(message());
      checks++;
      if (status.code !== 0) wrong++;
    }
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: IN_FLIGHT }, () => worker(client))));
  const elapsed = (performance.now() - start) / 1000;
  for (const client of clients) client.close();
  return { checks, wrong, seconds: elapsed };
}
