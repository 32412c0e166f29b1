import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bothForms, type RequestShape, received, requestOptions } from '../../test/support/check-request.ts';
import { type Reason, Refusal } from '../base/outcome.ts';
import type { CheckInput } from '../http/input.ts';
import { decodeCheck } from './messages.ts';
import { type RequestOptions, readRequest } from './request.ts';

const token = 'Bearer eyJhbGciOiJFUzI1NiJ9.e30.c2ln';

function read(shape: RequestShape, options: RequestOptions = requestOptions): CheckInput {
  const input = readRequest(received(shape), { checkPeer: null }, options);
  assert.ok(!(input instanceof Refusal), input instanceof Refusal ? `${input.reason}: ${input.detail}` : '');
  return input;
}

function refused(shape: RequestShape, options: RequestOptions = requestOptions): Reason | null {
  const input = readRequest(received(shape), { checkPeer: null }, options);
  return input instanceof Refusal ? input.reason : null;
}

test('a plain request is read whole', () => {
  const address = { socket_address: { address: '::ffff:10.0.0.9', port_value: 40_000 } };
  const input = read({
    path: '/api/invoices/4%32?full=1',
    host: 'Payments.internal:443',
    headers: { authorization: token, accept: ['a', 'b'] },
    attributes: {
      source: { address, principal: 'spiffe://prod.example/a', certificate: '-----BEGIN%20' },
      destination: { principal: 'spiffe://prod.example/envoy' },
      context_extensions: { host: 'payments.internal' },
    },
  });
  const { headers, connection, ...plain } = input;
  const { digest, extensions, ...peers } = connection;
  assert.deepEqual(plain, {
    id: '1',
    method: 'GET',
    scheme: 'https',
    host: 'payments.internal',
    path: '/api/invoices/42',
    rawPath: '/api/invoices/4%32',
    query: 'full=1',
    upgrade: false,
    grpc: false,
    body: Buffer.alloc(0),
  });
  assert.deepEqual(peers, {
    checkPeer: null,
    source: { address: '10.0.0.9', principal: 'spiffe://prod.example/a', certificate: '-----BEGIN%20' },
    forwarded: { element: null, nearer: [] },
    destinationPrincipal: 'spiffe://prod.example/envoy',
  });
  assert.match(digest, /^[0-9a-f]{64}$/);
  assert.deepEqual(headers.all('authorization'), [token]);
  assert.deepEqual(headers.all('accept'), ['a', 'b']);
  assert.deepEqual([...extensions], [['host', 'payments.internal']]);
});

test('the digest is of the bytes received: the same for the same, another for any change', () => {
  const digest = (shape: RequestShape) => read(shape).connection.digest;
  assert.equal(digest({ path: '/a' }), digest({ path: '/a' }));
  assert.notEqual(digest({ path: '/a' }), digest({ path: '/a', http: { body: 'x' } }));
});

test('B02: headers and header_map are read alike', () => {
  for (const form of bothForms) {
    const input = read({ form, headers: { authorization: token, 'x-task-id': 't-1', 'x-data-class': 'restricted' } });
    assert.deepEqual(input.headers.all('authorization'), [token], form);
    assert.deepEqual(input.headers.all('x-task-id'), ['t-1'], form);
    assert.deepEqual(input.headers.all('x-data-class'), ['restricted'], form);
  }
});

test('B02: both forms at once are never merged', () => {
  assert.equal(refused({ http: { headers: { authorization: token } } }), 'request_headers_malformed');
  const map = { headers: [{ key: 'authorization', value: 'Bearer a', raw_value: Buffer.from('Bearer b') }] };
  assert.equal(refused({ http: { header_map: map } }), 'request_headers_malformed');
});

test('B02: a security header that is repeated or joined by commas is refused in both forms', () => {
  const twice: Readonly<Record<string, readonly string[]>> = {
    authorization: ['Bearer one', 'Bearer two'],
    dpop: ['a.b.c', 'd.e.f'],
    'txn-token': ['a.b.c', 'd.e.f'],
    'workload-identity-token': ['a.b.c', 'd.e.f'],
    'workload-proof-token': ['a.b.c', 'd.e.f'],
    'x-task-id': ['t-1', 't-2'],
    'x-task-purpose': ['a', 'b'],
  };
  for (const [name, values] of Object.entries(twice)) {
    for (const form of bothForms) {
      assert.equal(refused({ form, headers: { [name]: values[0] ?? '' } }), null, `${name} ${form}`);
      assert.equal(refused({ form, headers: { [name]: values } }), 'request_header_repeated', `${name} ${form}`);
      if (name.startsWith('x-task-') && form === 'header_map') continue;
      const joined = values.join(',');
      assert.equal(refused({ form, headers: { [name]: joined } }), 'request_header_repeated', `${name} ${form}`);
    }
  }
});

test('B02: an application’s Authorization may hold parameters, but never a second set of credentials', () => {
  const one = [
    'Digest username="a, Bearer b", realm="r",nonce=n, response="\\"x"',
    'AWS4-HMAC-SHA256 Credential=AK/20260101/eu/s3/aws4_request, SignedHeaders=host;x-date, Signature=ab12==',
  ];
  for (const authorization of one) assert.equal(refused({ headers: { authorization } }), null, authorization);
  const two = [
    'Basic Ym9iOnA=,Bearer a.b.c',
    'Digest a=b,Bearer a.b.c',
    'Digest a=b, Basic Zm9v==',
    'Bearer a=b,c=d',
    'bEARER a=b, c=d',
    'DPoP a=b,c=d',
    'Digest a="b,c=d',
    'Digest a=b,',
    ',Bearer a.b.c',
    'Digest ,a=b',
  ];
  for (const authorization of two) {
    assert.equal(refused({ headers: { authorization } }), 'request_header_repeated', authorization);
  }
});

test('B02: any other header may repeat', () => {
  for (const form of bothForms) assert.equal(refused({ form, headers: { accept: ['a', 'b'], cookie: 'a,b' } }), null);
});

test('B03: bytes that are no text refuse where they would decide, and nowhere else', () => {
  const bytes = Uint8Array.of(0x74, 0x2d, 0x31, 0xf1);
  for (const form of bothForms) {
    assert.equal(refused({ form, headers: { 'x-task-id': 't-1' } }), null, form);
    assert.equal(refused({ form, headers: { 'x-task-id': bytes } }), 'request_header_unclean', form);
    assert.equal(refused({ form, headers: { authorization: bytes } }), 'request_header_unclean', form);
    const unrelated = read({ form, headers: { 'user-agent': bytes } });
    assert.ok(unrelated.headers.unclean.has('user-agent'), form);
  }
  const undecoded = { ':method': 'GET', ':path': '/', ':authority': 'payments.internal', 'x-task-id': 't-1\ufffd' };
  assert.equal(refused({ form: 'headers', http: { headers: undecoded } }), 'request_header_unclean');
});

test('B03: a ! is what Envoy writes for such bytes, except in raw headers', () => {
  assert.equal(refused({ form: 'headers', headers: { 'x-task-id': 't-1!' } }), 'request_header_unclean');
  assert.equal(refused({ form: 'header_map', headers: { 'x-task-id': 't-1!' } }), null);
  assert.equal(refused({ form: 'headers', headers: { 'user-agent': 'hey!' } }), null);
  assert.equal(refused({ form: 'headers', path: '/a!' }), 'request_path_ambiguous');
  assert.equal(refused({ form: 'header_map', path: '/a!' }), null);
});

test('B03: control characters are no text, letters of any script are', () => {
  for (const value of ['t\u0000', 't\r\nx: y', 't\tx', 't\u0085', 't\u007f']) {
    assert.equal(refused({ headers: { 'x-task-id': value } }), 'request_header_unclean', JSON.stringify(value));
  }
  assert.equal(refused({ headers: { 'x-task-id': 'tâche-€' } }), null);
});

test('B05: what holds no HTTP request is refused by name', () => {
  const reasonOf = (bytes: Uint8Array) => {
    const input = readRequest(decodeCheck(bytes), { checkPeer: null }, requestOptions);
    return input instanceof Refusal ? input.reason : null;
  };
  assert.equal(reasonOf(new Uint8Array()), 'request_without_http');
  assert.equal(refused({ attributes: { request: {} } }), 'request_without_http');
  assert.equal(refused({ attributes: { request: null } }), 'request_without_http');
  assert.equal(refused({ method: 'CONNECT', path: '' }), 'request_connect');
  assert.equal(refused({ method: 'OPTIONS', path: '*' }), 'request_path_asterisk');
  assert.equal(refused({ method: 'OPTIONS', path: '/' }), null);
  assert.equal(reasonOf(Buffer.from('not protobuf')), 'request_malformed');
});

test('B06: bad escapes refuse, escapes in the query do not', () => {
  for (const path of ['/%zz', '/50%']) assert.equal(refused({ path }), 'request_path_malformed');
  assert.equal(read({ path: '/a?q=%0A' }).query, 'q=%0A');
});

test('B08: headers that ask for another method or path refuse; Envoy’s own do not, and decide nothing', () => {
  const asking = ['x-http-method-override', 'x-method-override', 'x-original-url', 'x-rewrite-url', 'x-forwarded-uri'];
  for (const name of [...asking, 'x_http_method_override', 'x-http_method-override']) {
    for (const form of bothForms) {
      const headers = { [name]: '/public' };
      assert.equal(refused({ form, path: '/admin/keys', headers }), 'request_header_override', name);
    }
  }
  const input = read({ path: '/admin/keys', headers: { 'x-envoy-original-path': '/public' } });
  assert.deepEqual([input.path, input.method], ['/admin/keys', 'GET']);
});

test('B09: what a caller says of itself stays a header', () => {
  const input = read({
    headers: { 'x-agent-id': 'b', 'x-authz-agent': 'admin', 'x-authz-caller': 'spiffe://example.org/admin' },
    attributes: { source: { principal: 'spiffe://example.org/agent/a' } },
  });
  assert.equal(input.connection.source.principal, 'spiffe://example.org/agent/a');
  assert.deepEqual(input.connection.forwarded, { element: null, nearer: [] });
  assert.deepEqual(input.headers.all('x-agent-id'), ['b']);
});

test('a name that some servers read as one that decides refuses, with the real one beside it and alone', () => {
  const deciding = [
    'x-authz-task',
    'x-authz-anything',
    'txn-token',
    'workload-identity-token',
    'workload-proof-token',
    'x-forwarded-client-cert',
    'content-type',
    'x-task-id',
    'x-task-purpose',
  ];
  for (const name of deciding) {
    for (const twin of [name.replaceAll('-', '_'), name.replace('-', '_'), name.replace('-', '.')]) {
      assert.equal(refused({ headers: { [twin]: 't-admin' } }), 'request_header_underscore', twin);
      assert.equal(refused({ headers: { [twin]: 'a', [name]: 'b' } }), 'request_header_underscore', twin);
    }
  }
  assert.equal(refused({ headers: { user_agent: 'a', 'user-agent': 'b', 'x-authz-task': 't', x_y: '1' } }), null);
});

test('a comma is part of a value that policies read, unless Envoy may have joined two values by it', () => {
  const headers = { 'x-data-class': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)' };
  const options = { ...requestOptions, singleHeaders: ['x-data-class'] };
  assert.equal(refused({ form: 'header_map', headers }, options), null);
  assert.equal(refused({ form: 'headers', headers }, options), 'request_header_repeated');
});

test('a parameter of the query that asks for another method refuses, however it is spelled', () => {
  const asking = ['_method', '_METHOD', '%5fmethod', '+_method', '.method', '_method%00x', 'X-HTTP-Method-Override'];
  for (const name of asking) {
    for (const query of [`${name}=DELETE`, `a=1&${name}=DELETE`, `a=1;${name}`, `${name}=GET&b`]) {
      assert.equal(refused({ path: `/a?${query}` }), 'request_query_override', query);
    }
  }
  for (const query of ['', 'method=DELETE', 'x_method=1', 'a=_method', '%', '%5', '_methods', '_=method', '__method']) {
    assert.equal(refused({ path: `/a?${query}` }), null, query);
  }
});

test('header names that are not lower-case tokens were never sent by Envoy', () => {
  for (const name of ['X-Task-Id', 'Authorization', 'a b', '', 'a:b', 'a\u0000', 'é']) {
    for (const form of bothForms) {
      assert.equal(refused({ form, headers: { [name]: 'x' } }), 'request_headers_malformed', `${name} ${form}`);
    }
  }
  assert.equal(refused({ headers: { "!#$%&'*+.^`|~-9": 'x' } }), null);
});

test('a header map that hides headers is refused', () => {
  assert.equal(refused({ http: { header_map: { headers: [] } } }), 'request_headers_filtered');
  assert.equal(refused({ http: { header_map: null } }), 'request_headers_filtered');
  const all = { ':method': 'GET', ':path': '/', ':authority': 'payments.internal' };
  assert.equal(refused({ http: { header_map: null, headers: all } }), null);
  for (const name of Object.keys(all)) {
    const headers = Object.fromEntries(Object.entries(all).filter(([key]) => key !== name));
    assert.equal(refused({ http: { header_map: null, headers } }), 'request_headers_filtered', name);
  }
});

test('an entry of header_map may carry its text in value alone', () => {
  const pseudo = { ':method': 'GET', ':path': '/', ':authority': 'payments.internal', 'x-task-id': 't-1' };
  const headers = Object.entries(pseudo).map(([key, value]) => ({ key, value }));
  assert.deepEqual(read({ http: { header_map: { headers } } }).headers.all('x-task-id'), ['t-1']);
});

test('headers beyond the limit are refused', () => {
  const options = { ...requestOptions, headerBytes: 1000 };
  const plain = ':method:path:authority:scheme'.length + 'GET/payments.internalhttps'.length;
  const exact = 'a'.repeat(1000 - plain - 'x-a'.length);
  for (const form of bothForms) {
    assert.equal(refused({ form, headers: { 'x-a': exact } }, options), null, form);
    assert.equal(refused({ form, headers: { 'x-a': `${exact}a` } }, options), 'request_headers_too_large', form);
  }
  for (const form of bothForms) {
    assert.equal(refused({ form, headers: { 'x-a': 'a'.repeat(800) } }, options), null, form);
    const large = refused({ form, headers: { 'x-a': 'a'.repeat(1000) } }, options);
    assert.equal(large, 'request_headers_too_large', form);
  }
});

test('more than 1024 headers are refused, be they one name or many', () => {
  // Beside the four pseudo-headers.
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, at) => [`x-${at}`, '1']));
  for (const form of bothForms) {
    assert.equal(refused({ form, headers: many(1020) }), null, form);
    assert.equal(refused({ form, headers: many(1021) }), 'request_headers_too_large', form);
  }
  assert.equal(refused({ headers: { 'x-a': Array.from({ length: 1020 }, () => '1') } }), null);
  assert.equal(refused({ headers: { 'x-a': Array.from({ length: 1021 }, () => '1') } }), 'request_headers_too_large');
});

test('a target beyond the limit is refused, path and query counted together, in bytes', () => {
  const options = { ...requestOptions, targetBytes: 100 };
  for (const form of bothForms) {
    assert.equal(refused({ form, path: `/${'a'.repeat(49)}?${'b'.repeat(49)}` }, options), null, form);
    assert.equal(refused({ form, path: `/${'a'.repeat(49)}?${'b'.repeat(50)}` }, options), 'request_too_large', form);
  }
  assert.equal(refused({ path: `/?${'é'.repeat(50)}` }, options), 'request_too_large');
});

test('Envoy says method, path, host and scheme twice; a difference is refused', () => {
  for (const other of [{ method: 'POST' }, { path: '/b' }, { host: 'other.internal' }, { scheme: 'http' }]) {
    for (const form of bothForms) {
      assert.equal(refused({ form, http: other }), 'request_target_ambiguous', JSON.stringify(other));
    }
  }
  for (const name of [':method', ':path', ':authority', ':scheme']) {
    const same = { ':method': 'GET', ':path': '/', ':authority': 'payments.internal', ':scheme': 'https' }[name] ?? '';
    assert.equal(refused({ headers: { [name]: [same, same] } }), 'request_header_repeated', name);
  }
});

test('a Host header must be the authority', () => {
  assert.equal(refused({ headers: { host: 'PAYMENTS.internal:443' } }), null);
  for (const host of ['other.internal', 'payments.internal:8443', '', 'a@payments.internal']) {
    assert.equal(refused({ headers: { host } }), 'request_target_ambiguous', host);
  }
  assert.equal(refused({ headers: { host: ['payments.internal', 'payments.internal'] } }), 'request_header_repeated');
});

test('B14: the host is canonical or refused', () => {
  for (const host of ['PAYMENTS.internal', 'payments.internal:443', 'payments.internal.']) {
    assert.equal(read({ host }).host, 'payments.internal');
  }
  assert.equal(refused({ host: 'user@payments.internal' }), 'request_host_malformed');
  assert.equal(refused({ host: '' }), 'request_host_malformed');
});

test('B13: query and fragment fields that say something else than the path are refused', () => {
  assert.equal(refused({ path: '/a?x=1', http: { query: 'x=1' } }), null);
  assert.equal(refused({ path: '/a?x=1', http: { query: 'x=2' } }), 'request_target_ambiguous');
  assert.equal(refused({ path: '/a', http: { query: 'x=1' } }), 'request_target_ambiguous');
  assert.equal(refused({ path: '/a', http: { fragment: 'x' } }), 'request_target_ambiguous');
});

test('a method that some server would raise to upper case is refused', () => {
  assert.equal(refused({ method: 'M-SEARCH' }), null);
  for (const method of ['get', 'Get', '', 'GET ', 'G\u0000', 'connect', '*']) {
    assert.equal(refused({ method }), 'request_method_malformed', method);
  }
});

test('an unknown scheme is refused', () => {
  assert.equal(refused({ scheme: 'http' }), null);
  for (const scheme of ['ftp', 'HTTPS', 'javascript']) assert.equal(refused({ scheme }), 'request_scheme_unknown');
});

test('an upgrade is seen in HTTP/1.1 and in extended CONNECT', () => {
  assert.equal(read({}).upgrade, false);
  for (const form of bothForms) {
    assert.equal(read({ form, headers: { upgrade: 'websocket', connection: 'Upgrade' } }).upgrade, true, form);
    assert.equal(read({ form, headers: { upgrade: '' } }).upgrade, true, form);
    assert.equal(read({ form, headers: { ':protocol': 'websocket' } }).upgrade, true, form);
  }
});

test('a gRPC call is known by its content type', () => {
  for (const type of ['application/grpc', 'application/grpc+proto', 'Application/gRPC; a=b']) {
    assert.equal(read({ method: 'POST', headers: { 'content-type': type } }).grpc, true, type);
  }
  for (const type of ['application/grpc-web', 'application/json', 'application/grpcx']) {
    assert.equal(read({ method: 'POST', headers: { 'content-type': type } }).grpc, false, type);
  }
});

test('XFCC that cannot be read stands as a refusal, for those who would believe it', () => {
  const header = (value: string | readonly string[]) => ({ headers: { 'x-forwarded-client-cert': value } });
  for (const form of bothForms) {
    const { forwarded } = read({ form, ...header(['URI=a', 'URI=b']) }).connection;
    assert.ok(!(forwarded instanceof Refusal));
    assert.equal(forwarded.element?.uri, 'b');
  }
  const { forwarded } = read(header('{"uri":"a"}')).connection;
  assert.ok(forwarded instanceof Refusal && forwarded.reason === 'request_xfcc_json');
  const one = { ...requestOptions, forwarded: { mode: 'append-forward', hop: 1 } as const };
  const short = read(header('URI=a'), one).connection.forwarded;
  assert.ok(!(short instanceof Refusal));
  assert.equal(short.element, null);
  assert.deepEqual(
    short.nearer.map(({ uri }) => uri),
    ['a'],
  );
});

test('names of the language are names like any other', () => {
  for (const form of bothForms) {
    const { headers } = read({ form, headers: { constructor: 'a', valueof: 'b' } });
    assert.deepEqual(headers.all('constructor'), ['a'], form);
    assert.deepEqual(headers.all('tostring'), [], form);
    assert.deepEqual(headers.all('__proto__'), [], form);
  }
  const { extensions } = read({ attributes: { context_extensions: { a: 'b' } } }).connection;
  assert.equal(extensions.get('constructor'), undefined);
});
