import { join } from 'node:path';
import { loadSync, type MethodDefinition, type ServiceDefinition } from '@grpc/proto-loader';
import type { CheckRequest, CheckResponseMessage, ReceivedCheck, Struct, StructValue } from './api.ts';
import { readCheckRequest } from './wire-request.ts';
import { writeCheckResponse } from './wire-response.ts';

/**
 * How protobuf becomes plain objects. Names stay as Envoy's documents write them, 64-bit numbers become strings, enums stay
 * numbers, an absent message is null and an absent scalar its default. A writer must use the same names: a field under
 * any other name (`deniedResponse`) is dropped without a word.
 */
const options = { keepCase: true, longs: String, defaults: true, includeDirs: [protoFolder()] };

/** The folder of the .proto files: two levels above this file, in `src/` as in `dist/`. */
export function protoFolder(): string {
  return join(import.meta.dirname, '..', '..', 'proto');
}

const definitions = loadSync(['envoy/service/auth/v3/external_auth.proto', 'grpc/health/v1/health.proto'], options);

const check = service('envoy.service.auth.v3.Authorization').Check as MethodDefinition<object, object>;

/**
 * Reads a CheckRequest. Never throws: a message that is not protobuf would otherwise become a gRPC error, which Envoy
 * reads as allow under failure_mode_allow. Invalid UTF-8 in a string becomes U+FFFD without a fault.
 */
export function decodeCheck(bytes: Uint8Array): ReceivedCheck {
  try {
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return { request: readCheckRequest(buffer) ?? decodeByLibrary(buffer), bytes };
  } catch (fault) {
    return { request: null, bytes, fault: fault instanceof Error ? fault.message : String(fault) };
  }
}

/** What the library reads: the reference of the reader of our own, and the reader of all that it does not take. Throws. */
export const decodeByLibrary = (bytes: Buffer): CheckRequest => check.requestDeserialize(bytes) as CheckRequest;

/** What the library writes: the reference of the writer of our own, and the writer of all that it does not take. */
export const encodeByLibrary = (message: CheckResponseMessage): Buffer => check.responseSerialize(message);

/** The service `envoy.service.auth.v3.Authorization`, for grpc-js; its handler receives a `ReceivedCheck`. */
export const authorization = {
  Check: {
    ...check,
    requestDeserialize: decodeCheck,
    responseSerialize: (message: CheckResponseMessage) => writeCheckResponse(message) ?? encodeByLibrary(message),
  },
};

/** The service `grpc.health.v1.Health`, for grpc-js. */
export const health: ServiceDefinition = service('grpc.health.v1.Health');

/** Dynamic metadata in the only spelling that reaches the wire: `string_value` would be written as an empty Value. */
export function toStruct(members: Readonly<Record<string, string | number | boolean>>): Struct {
  const fields: Record<string, StructValue> = {};
  for (const [name, value] of Object.entries(members)) fields[name] = toValue(value);
  return { fields };
}

function toValue(value: string | number | boolean): StructValue {
  if (typeof value === 'string') return { stringValue: value };
  return typeof value === 'number' ? { numberValue: value } : { boolValue: value };
}

function service(name: string): ServiceDefinition {
  return definitions[name] as ServiceDefinition;
}
