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

/** How long a server is kept busy: for a time, or for a number of checks. */
export type Amount = { readonly seconds: number } | { readonly checks: number };

/**
 * Keeps 16 checks on each of 4 connections in flight, each with the message that is next, and compares whether each
 * answer allows with `allow`.
 */
export async function drive(
  target: Sidecar['check'],
  message: () => Uint8Array,
  amount: Amount,
  allow = true,
): Promise<Driven> {
  const clients = Array.from({ length: CONNECTIONS }, () => new CheckClient(target));
  const start = performance.now();
  const more =
    'seconds' in amount ? () => performance.now() < start + amount.seconds * 1000 : () => sent < amount.checks;
  let sent = 0;
  let checks = 0;
  let wrong = 0;
  const worker = async (client: CheckClient): Promise<void> => {
    while (more()) {
      sent++;
      const { status } = await client.check(message());
      checks++;
      if ((status.code === 0) !== allow) wrong++;
    }
  };
  await Promise.all(clients.flatMap((client) => Array.from({ length: IN_FLIGHT }, () => worker(client))));
  const elapsed = (performance.now() - start) / 1000;
  for (const client of clients) client.close();
  return { checks, wrong, seconds: elapsed };
}
