import fc from 'fast-check';
import { bothForms, type RequestShape } from './check-request.ts';
import { words } from './words.ts';

/** Text put together from pieces that mean something to a parser, with some that mean nothing in between. */
function pieced(pieces: readonly string[], maxLength = 12): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom(...pieces) },
    { weight: 1, arbitrary: fc.string({ maxLength: 3, unit: 'binary' }) },
  );
  return fc.array(piece, { maxLength }).map((parts) => parts.join(''));
}

/** What is common, `weight` times as often as what is not. */
function mostly<T>(common: T, rare: fc.Arbitrary<T>, weight = 6): fc.Arbitrary<T> {
  return fc.oneof({ weight, arbitrary: fc.constant(common) }, { weight: 1, arbitrary: rare });
}

/** Request targets, most of them hostile. */
export const targets: fc.Arbitrary<string> = fc.oneof(
  pieced(words('/ / a admin . .. %2e %2F %5c \\ ; %3b // %00 %25 % %zz ?')),
  pieced(['/', 'caf%C3%A9', '%C0%AE', '%FF', '%EF%BC%8E', 'é', '!', '#', '*', 'http://h', ' ', '\t', '%7F', '%C2%85']),
  fc.webPath().map((path) => `/${path}`),
);

/** Authorities, most of them hostile. */
export const authorities: fc.Arbitrary<string> = fc.oneof(
  pieced(['payments.internal', 'A', '.', ':', '443', '80', '0', '[', ']', '::1', '@', '%', '-', '_', ',', ' '], 6),
  fc.domain(),
);

/** Values of x-forwarded-client-cert, most of them hostile. */
export const xfccValues: fc.Arbitrary<string> = fc.oneof(
  pieced(
    ['URI=', 'By=', 'Hash=', 'Subject=', 'Cert=', 'dns=', 'x=', '"', '\\"', '\\', ';', ',', '=', 'spiffe://a/b'],
    24,
  ),
  pieced(['[', '{', ' ', 'URI=a', 'Subject="a"', ',', ';', '%0A', '\u0000'], 8),
);

const headerNames = fc.oneof(
  { weight: 9, arbitrary: fc.constantFrom('accept', 'x-a', 'x-data-class', 'user-agent', 'content-type') },
  fc.constantFrom('authorization', 'dpop', 'txn-token', 'x-task-id', 'x_task_id', 'x-task-purpose', 'upgrade', 'host'),
  fc.constantFrom(
    'x-forwarded-client-cert',
    'content-type',
    'x-original-url',
    ':path',
    ':method',
    ':protocol',
    'cookie',
  ),
  fc.string({ maxLength: 5 }),
);

const headerValues = fc.oneof(
  pieced(['Bearer ', 'DPoP ', 'Digest ', 'a.b.c', 'a=b', '"', '\\', ',', ' ', '=', 't-1', '!', '\ufffd', '\u0001'], 10),
  xfccValues,
  authorities,
  fc.uint8Array({ maxLength: 12 }),
);

/** Requests as Envoy would send them, and as it never would. */
export const requestShapes: fc.Arbitrary<RequestShape> = fc.record(
  {
    method: mostly('POST', fc.oneof(fc.constantFrom('CONNECT', 'OPTIONS', 'get', ''), fc.string({ maxLength: 4 }))),
    path: mostly('/api/invoices/42?full=1', targets, 2),
    host: mostly('payments.internal:443', authorities),
    scheme: mostly('http', fc.constantFrom('', 'ftp')),
    form: fc.constantFrom(...bothForms),
    headers: fc.dictionary(
      headerNames,
      fc.oneof({ weight: 3, arbitrary: headerValues }, fc.array(headerValues, { maxLength: 3 })),
      { maxKeys: 6 },
    ),
    http: mostly(
      {},
      fc.record(
        {
          query: fc.string({ maxLength: 3 }),
          fragment: fc.string({ maxLength: 3 }),
          path: targets,
          host: authorities,
          header_map: fc.constant(null),
          headers: fc.dictionary(headerNames, fc.string({ maxLength: 5 }), { maxKeys: 3 }),
        },
        { requiredKeys: [] },
      ),
    ),
    attributes: fc.record(
      {
        source: fc.record({
          principal: fc.string({ maxLength: 8 }),
          address: fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 6 })).map((address) => ({
            socket_address: { address },
          })),
        }),
        context_extensions: fc.dictionary(fc.string({ maxLength: 4 }), fc.string({ maxLength: 4 }), { maxKeys: 2 }),
      },
      { requiredKeys: [] },
    ),
  },
  { requiredKeys: [] },
);
