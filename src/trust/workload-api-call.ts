import { Client, credentials, Metadata, type MethodDefinition, type ServiceError, status } from '@grpc/grpc-js';

/** A message of a very large federation is a tenth of this. */
const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

const channelOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  // Each attempt is one connection, which ends with it: what is retried, and when, is decided in one place.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
};

/**
 * What ended a stream (SPIFFE Workload API section 5.3 and its error codes).
 * `denied`: no identity is issued, so what was known is dropped; asked again. `refused`: the request is wrong, so it is not
 * asked again, and what was known grows stale. `unsupported`: this agent has no such stream. `unavailable`: all else; asked
 * again, and what was known serves until it is too old.
 */
export type StreamFaultKind = 'denied' | 'refused' | 'unsupported' | 'unavailable';

export class StreamFault {
  readonly kind: StreamFaultKind;
  /** For the log. */
  readonly detail: string;

  constructor(kind: StreamFaultKind, detail: string) {
    this.kind = kind;
    this.detail = detail;
    Object.freeze(this);
  }
}

const kinds: ReadonlyMap<status, StreamFaultKind> = new Map([
  [status.PERMISSION_DENIED, 'denied'],
  [status.INVALID_ARGUMENT, 'refused'],
  [status.UNIMPLEMENTED, 'unsupported'],
]);

export interface CallListener<M> {
  readonly message: (message: M) => void;
  /** Called at most once, and not after `cancel`; null when the agent ended the stream in good order. */
  readonly ended: (fault: StreamFault | null) => void;
}

export interface StreamCall {
  /** Ends the call and its connection; the listener hears no more. */
  cancel(): void;
}

/**
 * Opens one stream of the Workload API over a connection of its own. `target` is how grpc-js names the endpoint
 * (`unix:/path`, `ipv4:127.0.0.1:8081`). Never throws.
 */
export function openStream<M>(
  target: string,
  method: MethodDefinition<object, M>,
  { message, ended }: CallListener<M>,
): StreamCall {
  const client = new Client(target, credentials.createInsecure(), channelOptions);
  const metadata = new Metadata();
  // Section 4.1 there: without it the agent refuses, so that no browser or proxy can be made to ask.
  metadata.set('workload.spiffe.io', 'true');
  const { path, requestSerialize, responseDeserialize } = method;
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {}, metadata);
  let over = false;
  const end = (fault: StreamFault | null) => {
    if (over) return;
    over = true;
    client.close();
    ended(fault);
  };
  call.on('data', (received: M) => {
    if (!over) message(received);
  });
  call.on('error', ({ code, details }: ServiceError) => {
    end(new StreamFault(kinds.get(code) ?? 'unavailable', `${status[code]}: ${details}`));
  });
  call.on('end', () => end(null));
  return {
    cancel: () => {
      over = true;
      call.cancel();
      client.close();
    },
  };
}
