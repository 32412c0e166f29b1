import { canonicalAddress } from '../http/host.ts';
import type { RawRequestSummary } from '../http/input.ts';
import type { ReceivedCheck } from './api.ts';

/** Longer texts are cut: whoever sends them chooses their length. */
const MAX_TEXT = 2048;

/** What a message says of its request, whether or not it can be read. For the audit record alone; never throws. */
export function rawRequestSummary({ request }: ReceivedCheck): RawRequestSummary {
  const attributes = request?.attributes ?? null;
  const http = attributes?.request?.http ?? null;
  return {
    id: text(http?.id),
    from: canonicalAddress(attributes?.source?.address?.socket_address?.address ?? ''),
    method: text(http?.method),
    host: text(http?.host),
    path: text(http?.path.split('?', 1)[0]),
  };
}

function text(value: string | undefined): string | null {
  return value === undefined ? null : value.slice(0, MAX_TEXT).toWellFormed();
}
