import { Fault } from '../../base/fault.ts';
import { Refusal } from '../../base/outcome.ts';
import { SpiffeId, trustDomainFault } from '../../base/spiffe-id.ts';
import { credentialHeaders, FORWARDED_HEADER } from '../../http/credentials.ts';
import { hostNameFault } from '../../inventory/host-name.ts';
import { leaf } from './leaf.ts';

/** A trust domain name (SPIFFE-ID section 2.1). */
export const trustDomain = () =>
  leaf('trust domain', (value) => {
    const fault = trustDomainFault(value);
    return fault === null ? value : new Fault(`is not a trust domain (${fault}); write a name such as prod.example`);
  });

/** What an editor can tell of the SPIFFE ID of a workload. */
export const WORKLOAD_ID = '^spiffe://[^/]+/.+$';

/** A SPIFFE ID with a path, since only workloads have one. */
export const workloadId = () =>
  leaf(
    'SPIFFE ID',
    (value): SpiffeId | Fault => {
      const id = SpiffeId.parse(value);
      if (id instanceof Refusal) return new Fault(`is not a SPIFFE ID (${id.detail})`);
      return id.path === '' ? new Fault('names a whole trust domain; write the SPIFFE ID of a workload') : id;
    },
    WORKLOAD_ID,
  );

/** A Kubernetes namespace (RFC 1123 label). */
export const namespace = () =>
  leaf('namespace', (value) =>
    /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(value)
      ? value
      : new Fault('is not a namespace; write it out, in lower case, such as payments'),
  );

/** A host as it stands in a canonical request: lower case, no trailing dot, a port only if it is not the default one. */
export const host = () =>
  leaf('host', (value) => {
    if (hostNameFault(value) === null) return value;
    if (/:(?:80|443)$/.test(value))
      return new Fault('names the default port, which is dropped from every request; leave the port out');
    return new Fault('is not a host; write it in lower case without scheme, path or trailing dot: payments.internal');
  });

/** Headers that hold a credential, or that only this product writes: never an input of policies. */
const SECRET_HEADERS: ReadonlySet<string> = new Set([
  ...credentialHeaders,
  FORWARDED_HEADER,
  'proxy-authorization',
  'cookie',
]);

/** Words by which the name of a header says that its value is a secret. */
const SECRET_WORDS =
  /(?:token|secret|password|passwd|passphrase|credentials?|authorization|cookie|session|apikey|jwt|otp)$/;
/** What makes a key a secret one; an idempotency key or a routing key is none. */
const SECRET_KEYS = /^(?:api|app|access|account|auth|client|functions|master|private|secret|signing|subscription)$/;

/** Whether a header of this name looks like one that holds a secret, such as `x-api-key` or `x-amz-security-token`. */
function looksSecret(name: string): boolean {
  const words = name.split(/[^a-z0-9]/);
  return (
    words.at(-1) === 'auth' ||
    words.some((word, at) => SECRET_WORDS.test(word) || (word === 'key' && SECRET_KEYS.test(words[at - 1] ?? '')))
  );
}

/** What servers and proxies read in a way of their own: no key is looked for there. */
const TAKEN_HEADERS: ReadonlySet<string> = new Set(['host', 'content-type', 'content-length', 'upgrade', 'connection']);

/** The header of a credential that no standard has a name for, in lower case (RFC 9110 section 5.1, without the underscore). */
export const keyHeaderName = () =>
  leaf('header name', (value) => {
    if (!/^[a-z0-9!#$%&'*+.^`|~-]{1,256}$/.test(value))
      return new Fault('is not a header name; write it in lower case, without underscores');
    if (SECRET_HEADERS.has(value) || TAKEN_HEADERS.has(value) || value.startsWith('x-authz-'))
      return new Fault('has a meaning of its own; choose a name for keys alone, such as x-api-key');
    return value;
  });

/** A header name in lower case that holds no credential (RFC 9110 section 5.1, without the underscore). */
export const headerName = () =>
  leaf('header name', (value) => {
    if (!/^[a-z0-9!#$%&'*+.^`|~-]{1,256}$/.test(value)) {
      return new Fault('is not a header name; write it in lower case, without underscores');
    }
    if (SECRET_HEADERS.has(value)) return new Fault('holds a credential, which neither policies nor the audit may see');
    if (looksSecret(value)) {
      return new Fault(
        'looks like a secret by its name, and the audit would hold it; have Envoy write what policies need to know of it into another header',
      );
    }
    return value.startsWith('x-authz-') ? new Fault('is a name that only this sidecar writes') : value;
  });
