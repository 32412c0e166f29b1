import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { access, inventoryOf, problemsOf, targetOf } from '../../test/support/inventory.ts';
import { Refusal } from '../base/outcome.ts';
import type { Access } from './host.ts';
import type { Inventory } from './inventory.ts';

const payments = {
  host: 'payments.internal',
  owner: 'payments',
  sensitivity: 'confidential',
  apis: [
    { name: 'invoices', path: '/api/invoices/{invoice}', scopes: ['invoices'] },
    { name: 'refunds', path: '/api/refunds', sensitivity: 'restricted' },
    { name: 'search', path: '/api/search', methods: ['POST'], effect: 'read' },
    { name: 'health', path: '/healthz', sensitivity: 'public', loosens: true },
  ],
};

const one = (host: object): Inventory => inventoryOf({ resources: [host] });
const api = (apis: readonly object[], host: object = {}): Inventory =>
  one({ host: 'h', sensitivity: 'internal', ...host, apis });
const apiProblems = (apis: readonly object[], host: object = {}): string =>
  problemsOf({ resources: [{ host: 'h', sensitivity: 'internal', ...host, apis }] }).join('\n');

function refused(inventory: Inventory, line: string, more: Partial<Access> = {}): string {
  const target = inventory.target(access(line, more));
  assert.ok(target instanceof Refusal, `${line} is not refused`);
  return target.reason;
}

test('an api holds for its path, with or without one trailing slash, and for all below', () => {
  const inventory = one(payments);
  for (const path of ['/api/refunds', '/api/refunds/7', '/api/refunds/7/lines']) {
    const target = targetOf(inventory, `GET payments.internal${path}`);
    assert.deepEqual(target.resource.apis, ['payments.internal/refunds'], path);
    assert.equal(target.resource.id, `payments.internal${path}`);
  }
  for (const path of ['/api/refundsx', '/api/refund', '/xapi/refunds', '/']) {
    assert.deepEqual(targetOf(inventory, `GET payments.internal${path}`).resource.apis, [], path);
  }
});

test('a path is one resource with and without its one trailing slash', () => {
  const inventory = one(payments);
  for (const path of ['/api/refunds', '/api/invoices/7', '/api/invoices/7/lines', '/elsewhere', '/api/search']) {
    for (const method of ['GET', 'POST', 'DELETE']) {
      const target = inventory.target(access(`${method} payments.internal${path}`));
      assert.deepEqual(inventory.target(access(`${method} payments.internal${path}/`)), target, `${method} ${path}`);
    }
  }
  assert.equal(targetOf(inventory, 'GET payments.internal/').resource.id, 'payments.internal/');
  assert.equal(targetOf(inventory, 'GET payments.internal/x/').resource.path, '/x');
  assert.equal(refused(inventory, 'GET payments.internal/x//'), 'request_malformed');
});

test('a path that no api names is as sensitive as the most sensitive thing that its host lists', () => {
  const inventory = one(payments);
  for (const path of ['/api/other', '/api/invoices', '/', '/api/%72efunds', '/healthz2']) {
    assert.equal(targetOf(inventory, `GET payments.internal${path}`).resource.sensitivity, 3, path);
  }
  assert.equal(targetOf(inventory, 'GET payments.internal/api/invoices/42').resource.sensitivity, 2);
});

test('a path that a lenient server reads as one of another api is refused', () => {
  const apis = [
    { name: 'all', path: '/api', methods: ['GET'] },
    { name: 'refunds', path: '/api/refunds', effect: 'write', owner: 'payments' },
    { name: 'one', path: '/Jobs/{job}' },
  ];
  const otherCase = ['/api/Refunds', '/api/REFUNDS/7', '/API/refunds', '/API', '/jobs/run'];
  const otherForm = ['/api/refunds;x=1', '/api/ref\uff55nds', '/Jobs;v=1/7', '/api/refund\u017f'];
  for (const path of [...otherCase, ...otherForm]) {
    assert.equal(refused(api(apis), `GET h${path}`), 'request_path_ambiguous', path);
  }
  for (const path of ['/api/other', '/api/other/Refunds', '/Jobs/Run', '/Jobs', '/elsewhere/API'])
    assert.equal(targetOf(api(apis), `GET h${path}`).resource.path, path);
  const apart = api(apis, { caseInsensitive: false });
  for (const path of otherCase) assert.equal(targetOf(apart, `GET h${path}`).resource.path, path);
  for (const path of otherForm) assert.equal(refused(apart, `GET h${path}`), 'request_path_ambiguous', path);
});

test('a sensitivity that is not stated is that of the host, else of unlisted, else restricted', () => {
  const resources = [{ host: 'a', sensitivity: 'internal', apis: [{ name: 'x', path: '/x' }] }, { host: 'b' }];
  const inventory = inventoryOf({ resources, unlisted: { sensitivity: 'confidential' } });
  assert.equal(targetOf(inventory, 'GET a/x').resource.sensitivity, 1);
  assert.equal(targetOf(inventory, 'GET b/x').resource.sensitivity, 2);
  assert.equal(targetOf(inventoryOf({ resources }), 'GET b/x').resource.sensitivity, 3);
});

test('sensitivity falls only with loosens: true, below the host and below another api', () => {
  const inner = { name: 'inner', path: '/a/b', sensitivity: 'public' };
  const outer = { name: 'outer', path: '/a', sensitivity: 'restricted' };
  assert.match(apiProblems([inner]), /what is around it is internal/);
  assert.match(apiProblems([inner, outer]), /what is around it is restricted/);
  const lowered = api([{ ...inner, loosens: true }, outer]);
  assert.equal(targetOf(lowered, 'GET h/a/b/c').resource.sensitivity, 0);
  assert.equal(targetOf(lowered, 'GET h/a/c').resource.sensitivity, 3);
  assert.match(apiProblems([{ ...outer, loosens: true }]), /nothing is loosened here/);
});

test('where templates cross, loosens: true speaks only of what is around it', () => {
  const inventory = api([
    { name: 'named', path: '/{tenant}/keys', sensitivity: 'restricted' },
    { name: 'open', path: '/acme/{area}/list', sensitivity: 'public', loosens: true },
  ]);
  assert.equal(targetOf(inventory, 'GET h/acme/docs/list').resource.sensitivity, 0);
  assert.equal(targetOf(inventory, 'GET h/acme/keys/list').resource.sensitivity, 3);
});

test('apis nest, outermost first; of two templates of one length the more specific names the path', () => {
  const inventory = api(
    [
      { name: 'me', path: '/users/me' },
      { name: 'user', path: '/users/{user}', sensitivity: 'confidential' },
      { name: 'users', path: '/users' },
      { name: 'key', path: '/users/{owner}/keys/{key}' },
    ].map((entry) => (entry.name === 'me' ? { ...entry, sensitivity: 'internal', loosens: true } : entry)),
  );
  assert.deepEqual(targetOf(inventory, 'GET h/users/me').resource.apis, ['h/users', 'h/me']);
  assert.deepEqual(targetOf(inventory, 'GET h/users/7').resource.apis, ['h/users', 'h/user']);
  const key = targetOf(inventory, 'GET h/users/7/keys/9/x').resource;
  assert.deepEqual(key.apis, ['h/users', 'h/user', 'h/key']);
  assert.deepEqual(Object.fromEntries(key.params), { user: '7', owner: '7', key: '9' });
  assert.equal(targetOf(inventory, 'GET h/users/me').resource.sensitivity, 1);
  assert.equal(key.sensitivity, 2);
});

test('two templates that tie are a problem', () => {
  assert.match(
    apiProblems([
      { name: 'a', path: '/x/{a}' },
      { name: 'b', path: '/x/{b}' },
    ]),
    /is the more specific/,
  );
  assert.match(
    apiProblems([
      { name: 'a', path: '/{a}/y' },
      { name: 'b', path: '/x/{b}' },
    ]),
    /is the more specific/,
  );
  assert.match(
    apiProblems([
      { name: 'a', path: '/x' },
      { name: 'a', path: '/y' },
    ]),
    /another api of this host is called 'a'/,
  );
  api([
    { name: 'a', path: '/{a}/y' },
    { name: 'b', path: '/x/z' },
    { name: 'c', path: '/{c}' },
  ]);
});

test('templates in a spelling that would be inert are problems', () => {
  for (const path of [
    'x',
    'ab/c',
    '/x/',
    '/x//y',
    '/a/../b',
    '/users/:id',
    '/files/*',
    '/a/{x}.json',
    '/a/{}',
    '/a/{__proto__}',
    '/%61',
    '/{a}/{a}',
    '/a?b',
    '/a b\n',
  ]) {
    assert.notEqual(apiProblems([{ name: 'a', path }]), '', path);
  }
  api([
    { name: 'root', path: '/' },
    { name: 'odd', path: "/it's (ok)~!:x/$&+,;=@/日本" },
  ]);
});

test('literals are compared as they stand, whatever they mean to the router', () => {
  const path = "/it's (ok)~!:x/$&+,;=@/日本";
  const inventory = api([
    { name: 'odd', path },
    { name: 'constructor', path: '/constructor' },
  ]);
  assert.deepEqual(targetOf(inventory, 'GET h/x').resource.apis, []);
  assert.deepEqual(inventory.target({ ...access('GET h/'), path }) instanceof Refusal, false);
  assert.deepEqual(targetOf(inventory, 'GET h/constructor').resource.apis, ['h/constructor']);
  for (const other of ['/__proto__', '/toString', '/valueOf', '/:p0', '/**', '/*']) {
    assert.deepEqual(targetOf(inventory, `GET h${other}`).resource.apis, [], other);
  }
  const found = inventory.target({ ...access('GET h/'), path: `${path}/below` });
  assert.ok(!(found instanceof Refusal));
  assert.deepEqual(found.resource.apis, ['h/odd']);
});

test('a method that the api does not list is refused; an inner list decides, an inner silence inherits', () => {
  const inventory = api([
    { name: 'read', path: '/r', methods: ['GET', 'HEAD'] },
    { name: 'below', path: '/r/deep' },
    { name: 'post', path: '/r/post', methods: ['POST'] },
  ]);
  assert.equal(targetOf(inventory, 'GET h/r').action, 'GET');
  assert.equal(refused(inventory, 'POST h/r'), 'request_method_not_allowed');
  assert.equal(refused(inventory, 'OPTIONS h/r'), 'request_method_not_allowed');
  assert.equal(refused(inventory, 'POST h/r/deep'), 'request_method_not_allowed');
  assert.equal(targetOf(inventory, 'POST h/r/post').action, 'POST');
  assert.equal(targetOf(inventory, 'DELETE h/elsewhere').action, 'DELETE');
});

test('a method that is none of the known ones is refused', () => {
  for (const method of ['TRACE', 'PROPFIND', 'get', '', 'toString', '__proto__']) {
    assert.equal(refused(one(payments), `${method} payments.internal/`), 'request_method_not_allowed', method);
  }
});

test('an upgrade is CONNECT, a write, and must be listed where methods are', () => {
  const inventory = api([
    { name: 'read', path: '/r', methods: ['GET'] },
    { name: 'any', path: '/any' },
    { name: 'ws', path: '/ws', methods: ['CONNECT'] },
  ]);
  const upgrade = { upgrade: true };
  assert.deepEqual(facts(inventory, 'GET h/any', upgrade), ['CONNECT', 'write']);
  assert.deepEqual(facts(inventory, 'GET h/ws', upgrade), ['CONNECT', 'write']);
  assert.equal(refused(inventory, 'GET h/r', upgrade), 'request_method_not_allowed');
  assert.deepEqual(facts(inventory, 'GET h/r'), ['GET', 'read']);
});

test('only a GET is an upgrade: a service that ignores it would do what any other method says', () => {
  const inventory = api([
    { name: 'any', path: '/any' },
    { name: 'ws', path: '/ws', methods: ['GET', 'CONNECT', 'DELETE'] },
  ]);
  for (const method of ['HEAD', 'OPTIONS', 'POST', 'PUT', 'PATCH', 'DELETE', 'QUERY', 'PROPFIND']) {
    for (const path of ['/any', '/ws', '/elsewhere']) {
      assert.equal(refused(inventory, `${method} h${path}`, { upgrade: true }), 'request_upgrade_method', method);
      assert.equal(refused(inventory, `${method} h${path}`, { upgrade: true, grpc: true }), 'request_upgrade_method');
    }
  }
});

test('a gRPC call is a POST, or a QUERY where its method only reads', () => {
  const inventory = api([
    { name: 'get', path: '/bank.v1.Accounts/Get', effect: 'read' },
    { name: 'bank', path: '/bank.v1.Accounts' },
  ]);
  const grpc = { grpc: true };
  assert.deepEqual(facts(inventory, 'POST h/bank.v1.Accounts/Get', grpc), ['QUERY', 'read']);
  assert.deepEqual(facts(inventory, 'POST h/bank.v1.Accounts/Close', grpc), ['POST', 'write']);
  assert.equal(refused(inventory, 'GET h/bank.v1.Accounts/Get', grpc), 'request_method_not_allowed');
});

test("effect: read makes a POST to the api's own path a QUERY, nothing below it and no other method", () => {
  const inventory = one(payments);
  assert.deepEqual(facts(inventory, 'POST payments.internal/api/search'), ['QUERY', 'read']);
  assert.deepEqual(facts(inventory, 'POST payments.internal/api/search/'), ['QUERY', 'read']);
  assert.deepEqual(facts(inventory, 'POST payments.internal/api/search/purge'), ['POST', 'write']);
  const open = api([{ name: 'search', path: '/s', effect: 'read' }]);
  assert.deepEqual(facts(open, 'DELETE h/s'), ['DELETE', 'write']);
  assert.match(
    apiProblems([{ name: 's', path: '/s', effect: 'read', methods: ['POST', 'DELETE'] }]),
    /a DELETE never only reads/,
  );
});

test('effect: write makes what only reads elsewhere a POST, here and below, unless lowered', () => {
  const outer = { name: 'legacy', path: '/cgi', effect: 'write' };
  const inner = { name: 'list', path: '/cgi/list', effect: 'read' };
  const inventory = api([outer, { ...inner, loosens: true }]);
  for (const method of ['GET', 'HEAD', 'OPTIONS', 'QUERY', 'POST']) {
    assert.deepEqual(facts(inventory, `${method} h/cgi/delete`), ['POST', 'write'], method);
  }
  assert.deepEqual(facts(inventory, 'DELETE h/cgi'), ['DELETE', 'write']);
  assert.deepEqual(facts(inventory, 'GET h/cgi/list'), ['GET', 'read']);
  assert.deepEqual(facts(inventory, 'POST h/cgi/list'), ['QUERY', 'read']);
  assert.match(apiProblems([outer, inner]), /what is around it says 'effect: write'/);
});

test('scopes, owner and labels come from the innermost that states them', () => {
  const inventory = api(
    [
      { name: 'a', path: '/a', scopes: ['a'], owner: 'platform', labels: { tier: '1' } },
      { name: 'b', path: '/a/b', labels: { zone: 'eu' } },
      { name: 'c', path: '/a/b/c', scopes: [], loosens: true },
      { name: 'd', path: '/d' },
    ],
    { owner: 'payments', scopes: ['host'], labels: { tier: '0', host: 'h' } },
  );
  const { resource } = targetOf(inventory, 'GET h/a/b');
  assert.deepEqual([resource.scopes, resource.owner], [['a'], 'platform']);
  assert.deepEqual(Object.fromEntries(resource.labels), { tier: '1', host: 'h', zone: 'eu' });
  assert.deepEqual(targetOf(inventory, 'GET h/a/b/c').resource.scopes, []);
  assert.deepEqual(targetOf(inventory, 'GET h/d').resource.scopes, ['host']);
  assert.deepEqual(targetOf(inventory, 'GET h/elsewhere').resource.scopes, ['host']);
  assert.equal(targetOf(inventory, 'GET h/d').resource.owner, 'payments');
});

test('a template that no request can name is a problem: requests for such a path are refused', () => {
  const fault = (path: string, caseInsensitive = false): string =>
    problemsOf({ resources: [{ host: 'h', caseInsensitive, apis: [{ name: 'x', path }] }] }).join();
  for (const path of ['/a\u{ff0f}b', '/\u{ff0e}\u{ff0e}', '/a\u{ff05}b', '/;x', '/..;x'])
    assert.match(fault(path), /folds to a separator or a/);
  for (const path of ['/straße', '/caf\u00e9']) assert.match(fault(path, true), /servers fold '.*' differently/);
  for (const path of ['/straße', '/caf\u00e9', '/a;b', '/a.b', '/日本'])
    assert.equal(targetOf(one({ host: 'h', apis: [{ name: 'x', path }] }), `GET h${path}`).resource.apis[0], 'h/x');
});

test('what a literal beside a parameter leaves unsaid is what the parameter says', () => {
  const user = { name: 'user', path: '/users/{user}', methods: ['GET'], scopes: ['users'], owner: 'platform' };
  const inventory = api(
    [
      { ...user, labels: { tier: '1' } },
      { name: 'me', path: '/users/me' },
    ],
    { scopes: ['host'] },
  );
  const { resource } = targetOf(inventory, 'GET h/users/me');
  assert.deepEqual([resource.apis, resource.scopes, resource.owner], [['h/me'], ['users'], 'platform']);
  assert.deepEqual(Object.fromEntries(resource.labels), { tier: '1' });
  assert.equal(refused(inventory, 'DELETE h/users/me'), 'request_method_not_allowed');
});

test('where apis ask for scopes, a path that no api names asks for one that no token can carry', () => {
  const { scopes } = targetOf(one(payments), 'GET payments.internal/api/other/1').resource;
  assert.equal(scopes.length, 1);
  assert.match(scopes.join(), / /);
  assert.deepEqual(targetOf(one({ host: 'h' }), 'GET h/x').resource.scopes, []);
});

test('a case-insensitive host compares and shows paths in lower case, and refuses letters that servers fold differently', () => {
  const host = { host: 'h', caseInsensitive: true, sensitivity: 'internal' };
  const inventory = one({ ...host, apis: [{ name: 'refunds', path: '/api/refunds/{id}', sensitivity: 'restricted' }] });
  const { resource } = targetOf(inventory, 'GET h/API/Refunds/AbC');
  assert.deepEqual(
    [resource.apis, resource.id, resource.params.get('id')],
    [['h/refunds'], 'h/api/refunds/abc', 'abc'],
  );
  assert.equal(refused(inventory, 'GET h/api/refund\u017f'), 'request_path_ambiguous');
  assert.equal(refused(inventory, 'GET h/api/\u212aelvin'), 'request_path_ambiguous');
  assert.equal(targetOf(inventory, 'GET h/日本').resource.path, '/日本');
  const upper = problemsOf({ resources: [{ ...host, apis: [{ name: 'x', path: '/API' }] }] });
  assert.match(upper.join(), /write this one so/);
});

test('a path that is not canonical is refused, should it ever come here', () => {
  for (const path of ['', 'x', '//admin', '/a//b', '/a/../b', '/.', '/\ud800']) {
    assert.equal(one(payments).target({ ...access('GET payments.internal/'), path }) instanceof Refusal, true, path);
  }
});

test('a host that the inventory does not list is refused', () => {
  assert.equal(refused(one(payments), 'GET payments.internal.evil/api/invoices/42'), 'request_host_unknown');
  assert.equal(refused(one(payments), 'GET __proto__/'), 'request_host_unknown');
});

test('a host that never arrives so is told how it does', () => {
  const spelt: [host: string, says: string | null][] = [
    ['[::1]', null],
    ['[::1]:8443', null],
    ['xn--bcher-kva.example', null],
    ['h:65535', null],
    ['[0:0:0:0:0:0:0:1]', "'[::1]'"],
    ['[2001:DB8::1]:8443', "'[2001:db8::1]:8443'"],
    ['[::ffff:a00:1]', "'[::ffff:10.0.0.1]'"],
    ['bücher.example', "'xn--bcher-kva.example'"],
    ['Payments.internal.:8443', "'payments.internal:8443'"],
    ['[:::::]', 'never arrives so'],
    ['h:99999', 'a port is 1 to 65535'],
    ['h:443', 'default port'],
    [`${'x'.repeat(64)}.example`, 'never arrives so'],
    [Array(64).fill('abc').join('.'), 'never arrives so'],
    ['a..b', 'never arrives so'],
  ];
  for (const [host, says] of spelt) {
    if (says === null) {
      assert.equal(targetOf(one({ host }), `GET ${host}/`).resource.host.name, host);
      continue;
    }
    const problems = problemsOf({ resources: [{ host }] });
    assert.ok(problems.length === 1 && problems[0]?.includes(says), `${host}: ${problems.join()}`);
  }
});

test('hosts are named as they arrive, once', () => {
  for (const host of [
    'Payments.internal',
    'payments.internal.',
    'https://payments.internal',
    'payments.internal/x',
    'h:80',
    'h:443',
    'h:0',
    '',
    '-h',
    'a..b',
  ]) {
    assert.notEqual(problemsOf({ resources: [{ host }] }).length, 0, host);
  }
  assert.match(problemsOf({ resources: [{ host: 'h' }, { host: 'h' }] }).join(), /is listed already/);
  for (const host of ['h:8443', '[::1]:8443', '10.0.0.7', 'a-b.c_d.example'])
    assert.equal(targetOf(one({ host }), `GET ${host}/`).resource.host.name, host);
});

test("the Authorization header is ours inside and the application's outside", () => {
  const read = (host: object) => targetOf(one({ host: 'h', ...host }), 'GET h/').resource.host.authorization;
  assert.equal(read({}), 'ours');
  assert.equal(read({ authorization: 'app' }), 'app');
  assert.equal(read({ external: true }), 'app');
  assert.match(
    problemsOf({ resources: [{ host: 'h', external: true, authorization: 'ours' }] }).join(),
    /is the application's/,
  );
});

test('an origin is a scheme and a host', () => {
  for (const origin of [
    'api.example',
    'https://api.example/',
    'https://api.example/x',
    'ftp://api.example',
    'https://API.example',
    'spiffe://x',
  ]) {
    assert.match(problemsOf({ resources: [{ host: 'h', origin }] }).join(), /an origin is/, origin);
  }
  const origin = 'https://api.example:8443';
  assert.equal(targetOf(one({ host: 'h', origin }), 'GET h/').resource.host.origin, origin);
});

test('a label cannot pose as a parameter of the route', () => {
  assert.match(
    problemsOf({ resources: [{ host: 'h', labels: { 'param.id': 'x' } }] }).join(),
    /are the route's parameters/,
  );
  assert.match(apiProblems([{ name: 'a', path: '/a', labels: { 'param.id': 'x' } }]), /are the route's parameters/);
});

test('every template that holds for a path is found, in every estate', () => {
  const segment = fc.constantFrom('a', 'b', '{x}', 'A');
  const template = fc.array(segment, { maxLength: 3 });
  let compared = 0;
  fc.assert(
    fc.property(
      fc.uniqueArray(template, { maxLength: 5, selector: (t) => t.join('/') }),
      fc.array(fc.constantFrom('a', 'b', 'A', 'c'), { maxLength: 4 }),
      (templates, path) => {
        const apis = templates.map((parts, index) => ({
          name: `t${index}`,
          path: `/${parts.map((part, at) => (part === '{x}' ? `{x${at}}` : part)).join('/')}`,
          sensitivity: (['internal', 'confidential', 'restricted'] as const)[index % 3],
        }));
        const inventory = tryApis(apis);
        if (inventory === null) return;
        compared++;
        const { resource } = targetOf(inventory, `GET h/${path.join('/')}`);
        const holding = templates.filter(
          (parts) => parts.length <= path.length && parts.every((part, at) => part === '{x}' || part === path[at]),
        );
        assert.deepEqual(
          new Set(resource.apis.length === 0 ? [] : lengths(resource.apis, apis)),
          new Set(holding.map((parts) => parts.length)),
        );
        const least = Math.max(1, ...holding.map((parts) => 1 + (templates.indexOf(parts) % 3)));
        assert.ok(resource.sensitivity >= least, 'nothing around the path is more sensitive than the path');
      },
    ),
    { numRuns: 500 },
  );
  assert.ok(compared > 50, `only ${compared} estates loaded`);
});

function lengths(ids: readonly string[], apis: readonly { name: string; path: string }[]): number[] {
  return ids.map((id) => {
    const path = apis.find(({ name }) => `h/${name}` === id)?.path ?? '';
    return path === '/' ? 0 : path.split('/').length - 1;
  });
}

function tryApis(apis: readonly object[]): Inventory | null {
  try {
    return api(apis, { caseInsensitive: false });
  } catch (error) {
    if (error instanceof assert.AssertionError) return null;
    throw error;
  }
}

function facts(inventory: Inventory, line: string, more: Partial<Access> = {}): [string, string] {
  const { action, effect } = targetOf(inventory, line, more);
  return [action, effect];
}

const lowerings: [key: string, outer: object, inner: object, stated: object][] = [
  ['sensitivity', { sensitivity: 'restricted' }, { sensitivity: 'public' }, { sensitivity: 'public' }],
  ['effect', { effect: 'write' }, { effect: 'read' }, { effect: 'write' }],
  ['scopes', { scopes: ['a'] }, { scopes: [] }, { scopes: ['a'] }],
];
for (const [key, outer, inner, stated] of lowerings) {
  test(`what lies in an api whose ${key} is lowered states its own ${key}`, () => {
    const around = { name: 'outer', path: '/a', ...outer };
    const lowered = { name: 'lowered', path: '/a/{b}', loosens: true, ...inner };
    const nested = { name: 'nested', path: '/a/{b}/c' };
    assert.match(apiProblems([around, lowered, nested]), new RegExp(`lies in 'lowered', .*; state '${key}' here too`));
    api([around, lowered, { ...nested, ...stated }]);
    api([around, lowered, { ...nested, ...stated }, { name: 'deeper', path: '/a/{b}/c/d' }]);
  });
}

test('an api asks for fewer scopes than what is around it only with loosens: true', () => {
  const outer = { name: 'outer', path: '/a', scopes: ['a'] };
  const inner = (scopes: readonly string[], more = {}) => ({ name: 'inner', path: '/a/b', scopes, ...more });
  assert.match(apiProblems([outer, inner([])]), /what is around it asks for a; add 'loosens: true'/);
  assert.match(apiProblems([outer, inner(['a', 'b'])]), /what is around it asks for a; add 'loosens: true'/);
  api([outer, inner([], { loosens: true })]);
  api([outer, inner(['a'])]);
  api([outer, inner(['b'])]);
  assert.match(apiProblems([outer, inner(['b'], { loosens: true })]), /nothing is loosened here/);
  const passing = { name: 'passing', path: '/a/b' };
  assert.match(apiProblems([outer, passing, { name: 'inner', path: '/a/b/c', scopes: [] }]), /asks for a/);
});

test('the scopes of the host are those around an api that lies in none', () => {
  const host = { host: 'a.internal', owner: 'payments', sensitivity: 'public', scopes: ['a'] };
  const open = { name: 'open', path: '/open', scopes: [] };
  const problems = problemsOf({ resources: [{ ...host, apis: [open] }] }).join();
  assert.match(problems, /what is around it asks for a; add 'loosens: true'/);
  inventoryOf({ resources: [{ ...host, apis: [{ ...open, loosens: true }] }] });
});
