import { isJsonObject, type JsonObject, type JsonValue } from '../base/strict-json.ts';
import type { ClaimPath } from './options.ts';

/** The claim at the end of the path (RFC 6901 without array steps); undefined when it is not there. */
export function claimAt(claims: JsonObject, path: ClaimPath): JsonValue | undefined {
  let value: JsonValue | undefined = claims;
  for (const name of path) {
    if (!isJsonObject(value)) return undefined;
    value = value[name];
  }
  return value;
}
