import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatProblem } from '../source/problem.ts';
import { isConfig, loadConfig } from './load.ts';
import type { Config } from './schema.ts';

const FILE = '/etc/authz/config.yaml';
const SMALLEST = 'identity: { trustDomains: { prod.example: { local: true, bundle: { file: ./prod.pem } } } }\n';

function good(text: string, env: Record<string, string> = {}): Config {
  const config = loadConfig(text, FILE, env);
  if (!isConfig(config)) assert.fail(config.map(formatProblem).join('\n'));
  return config;
}

function problems(text: string, env: Record<string, string> = {}): string[] {
  const result = loadConfig(text, FILE, env);
  assert.ok(!isConfig(result), 'the configuration was accepted');
  return result.map(formatProblem);
}

/** The one problem of the smallest configuration with some lines below it. */
function fault(lines: string, env: Record<string, string> = {}): string {
  const found = problems(SMALLEST + lines, env);
  assert.equal(found.length, 1, found.join('\n'));
  return found[0]!;
}

test('the configuration that the design shows is read, with units, defaults and absolute paths', () => {
  const config = good(`
listen:
  check: unix:///run/cedar-ext-authz/check.sock
  status: 127.0.0.1:9192
  control: off
hosts: [payments.internal]
identity:
  trustDomains:
    prod.example: { local: true, bundle: { file: ./bundles/prod.example.json }, maxStale: 24h }
  maxLifetime: { x509: 24h, jwt: 1h }
  forwarded: { mode: sanitize-set, hop: 0, trustedProxies: [] }
task:
  headers: { id: x-task-id, purpose: x-task-purpose }
  issuers:
    - { issuer: https://tts.prod.example, kind: txn-token, audience: prod.example, jwks: { file: ./jwks.json }, maxLifetime: 10m, purposeClaim: /tctx/purpose, trustDomains: [prod.example], purposes: [finance] }
chain:   { maxDepth: 4 }
policy:  { folder: ./policies, inventory: ./inventory.yaml, guardrails: { disable: [] }, headers: [{ name: x-data-class }, { name: x-amount, type: long }] }
state:   { store: memory }
audit:   { sinks: [{ stdout: {} }], onFailure: deny }
limits:  { concurrentChecks: 256, requestBytes: 1MiB, headerBytes: 64KiB }
`);
  assert.deepEqual(config.listen.check, { kind: 'unix', path: '/run/cedar-ext-authz/check.sock' });
  assert.deepEqual(config.listen.status, { kind: 'tcp', host: '127.0.0.1', port: 9192, loopback: true });
  assert.deepEqual(config.identity.trustDomains['prod.example'], {
    local: true,
    source: { from: 'file', path: '/etc/authz/bundles/prod.example.json' },
    maxStaleMs: 86_400_000,
    backdatingMs: 0,
  });
  assert.deepEqual(config.identity.maxLifetime, { x509Ms: 86_400_000, jwtMs: 3_600_000 });
  const [issuer] = config.task.issuers;
  assert.ok(issuer?.kind === 'txn-token');
  assert.deepEqual(issuer.keys, { from: 'file', path: '/etc/authz/jwks.json' });
  assert.deepEqual(issuer.purposeClaim, ['tctx', 'purpose']);
  assert.equal(issuer.maxLifetimeMs, 600_000);
  assert.equal(config.limits.requestBytes, 1_048_576);
  assert.deepEqual(config.policy.headers[1], { name: 'x-amount', type: 'long' });
});

test('the configuration is read as YAML 1.2 alone, and one document of it', () => {
  assert.match(problems(`%YAML 1.1\n---\n${SMALLEST}`).join(), /YAML 1.1 reads some values differently/);
  assert.match(problems(`${SMALLEST}---\n${SMALLEST}`).join(), /a second document begins here/);
  good(`%YAML 1.2\n---\n${SMALLEST}`);
  good(SMALLEST.replaceAll('\n', '\r\n'));
});

test('a socket path may have 107 bytes where the name of the socket is as long as the temporary one', () => {
  const path = `/${'x'.repeat(96)}/123456789`;
  assert.equal(path.length, 107);
  assert.deepEqual(good(`${SMALLEST}listen: { check: "unix://${path}" }`).listen.check, { kind: 'unix', path });
});

test('an X.509-SVID may live for a day and what its authority dates it back by', () => {
  assert.equal(good(SMALLEST).identity.maxLifetime.x509Ms, 25 * 3_600_000);
});

test('the CA of a key server is for keys that are fetched', () => {
  const oidc = (keys: string) =>
    SMALLEST.replace(' } }\n', ` }, oidc: [{ issuer: https://idp.example, ca: ./ca.pem, ${keys} }] }\n`);
  const keysOf = (keys: string) => good(oidc(keys)).identity.oidc[0]?.keys;
  assert.deepEqual(keysOf('discovery: true'), { from: 'discovery', ca: '/etc/authz/ca.pem' });
  const url = 'https://idp.example/jwks';
  assert.deepEqual(keysOf(`jwks: { url: ${url} }`), { from: 'url', url, ca: '/etc/authz/ca.pem' });
  assert.match(problems(oidc('jwks: { file: a }')).join(), /oidc\[0\]\.ca: proves a server/);
});

test('every unsafe choice is off unless it is made', () => {
  const config = good(SMALLEST);
  assert.equal(config.listen.unsafePlaintext, false);
  assert.equal(config.identity.unsafeTrustEnvoyValidation, false);
  assert.equal(config.policy.unsafeObserveOnly, false);
  assert.equal(config.policy.unsafeIgnoreWarnings, false);
  assert.equal(config.audit.onFailure, 'deny');
  assert.match(config.policy.guardrails.folder, /cedar\/guardrails$/);
});

for (const [old, text, now] of [
  ['serves', `${SMALLEST}serves: [a.example]`, 'hosts'],
  ['ours', SMALLEST.replace('local: true', 'ours: true'), 'local'],
  [
    'oldNames',
    `${SMALLEST}task: { issuers: [{ kind: txn-token, issuer: i, audience: a, trustDomains: [prod.example], purposes: [p], jwks: { file: f }, oldNames: true }] }`,
    'legacyClaimNames',
  ],
] as const)
  test(`the key '${old}' is refused with the one that took its place`, () => {
    assert.match(problems(text).join('\n'), new RegExp(`\\b${old}: was renamed; write '${now}'$`, 'm'));
    good(text.replace(old, now));
  });

test('all problems stand in one report, each with its line, its key and what to do', () => {
  const found = problems(`listen: { statsu: 127.0.0.1:9192 }
hosts: [Payments.internal]
identity:
  trustDomains:
    prod.example: { local: true, bundle: { file: a }, maxStale: 24 hours }
limits: { requestBytes: 1MB }
task:
  issuers:
    - { kind: jwt-svid, trustDomains: [else.example], purposes: [p], idClaim: /id, purposeClaim: /p }
`);
  assert.deepEqual(
    found.map((line) => line.replace(/: (is not|write|must).*/, '')),
    [
      '/etc/authz/config.yaml:1:11: listen.statsu',
      '/etc/authz/config.yaml:2:9: hosts[0]',
      '/etc/authz/config.yaml:5:55: identity.trustDomains["prod.example"].maxStale',
      '/etc/authz/config.yaml:6:11: limits.requestBytes',
    ],
  );
  assert.match(found[0]!, /the keys are check, tls, peers, peersFile, status, control, unsafePlaintext$/);
  assert.match(found[2]!, /write a number and ms, s, m, h or d, such as 10m$/);
});

test('what is missing is said to be missing', () => {
  assert.deepEqual(problems('hosts: []'), [`${FILE}:1:1: identity: missing, and has no default; state it`]);
  assert.deepEqual(problems('# nothing'), [`${FILE}:1:1: the file is empty; state at least identity`]);
  assert.match(problems('identity: { trustDomains: { a.b: { local: true } } }')[0]!, /\["a.b"\]: needs exactly one of/);
});

for (const [name, lines, wanted] of [
  ['a check port off loopback', 'listen: { check: 0.0.0.0:9191 }', /listen.check: .*unsafePlaintext$/],
  [
    'an IPv4 loopback in IPv6 clothes',
    'listen: { check: "[::ffff:127.0.0.1]:9191" }',
    /listen.check: .*off the loopback/,
  ],
  ['TLS on a Unix socket', 'listen: { tls: {}, peers: [spiffe://prod.example/e] }', /listen.tls: is for TCP/],
  ['peers without TLS', 'listen: { check: 127.0.0.1:1, peers: [spiffe://prod.example/e] }', /peers: needs listen\.tls/],
  ['a name as address', 'listen: { check: localhost:9191 }', /listen.check: is not an address/],
  ['a port that is none', 'listen: { check: 127.0.0.1:70000 }', /listen.check: is not an address/],
  ['one port for two servers', 'listen: { check: 127.0.0.1:9192 }', /listen.status: takes the port/],
  [
    'a socket path without room for the temporary one beside it',
    `listen: { check: unix:///${'x'.repeat(97)}/s }`,
    /listen.check: .*too deep/,
  ],
  ['a socket path beyond the limit', `listen: { check: unix:///${'x'.repeat(107)} }`, /listen.check: .*107 bytes/],
  ['a host that is a URL', 'hosts: [https://a.example]', /hosts\[0\]: is not a host/],
  ['a host with a trailing dot', 'hosts: [a.example.]', /hosts\[0\]: is not a host/],
  ['a host twice', 'hosts: [a.example, a.example]', /hosts\[1\]: stands twice/],
  ['a key without a value', 'limits:', /limits: is not a mapping/],
  ['a number that is none', 'limits: { concurrentChecks: 2.5 }', /whole number between 1 and 65536$/],
  ['header bytes beyond the request', 'limits: { headerBytes: 2MiB }', /limits.headerBytes: is larger than/],
  ['a number that is a word', 'limits: { concurrentChecks: many }', /whole number between 1 and 65536$/],
  ['a status that is no address', 'listen: { status: 9192 }', /listen.status: is not a text; write IP:port or off/],
  [
    'an unknown key of the task headers',
    'task: { headers: { ids: x-t } }',
    /headers.ids: is not a key here; the keys are id, purpose$/,
  ],
  ['a queue without bound', 'audit: { queue: 100000000 }', /audit.queue: must be a whole number/],
  ['no sink', 'audit: { sinks: [] }', /audit.sinks: is empty/],
  [
    'a sink of two kinds',
    'audit: { sinks: [{ stdout: {}, file: { path: a } }] }',
    /audit.sinks\[0\]: needs exactly one/,
  ],
  [
    'one file for two sinks',
    'audit: { sinks: [{ file: { path: a } }, { file: { path: ./a } }] }',
    /sinks\[1\]: stands twice/,
  ],
  ['a failure mode that is none', 'audit: { onFailure: allow }', /must be one of deny, unsafeAllow$/],
  ['a store that is not there', 'state: { store: valkey }', /state.store: must be one of memory, redis$/],
  [
    'a credential as policy header',
    'policy: { headers: [{ name: authorization }] }',
    /headers\[0\].name: holds a credential/,
  ],
  ...[
    'x-api-key',
    'apikey',
    'x-auth-token',
    'x-amz-security-token',
    'ocp-apim-subscription-key',
    'x-auth',
    'x-session-id',
  ].map((name): [string, string, RegExp] => [
    `a header that looks secret as policy header, ${name}`,
    `policy: { headers: [{ name: ${name} }] }`,
    /headers\[0\]\.name: looks like a secret by its name/,
  ]),
  ['our own header as policy header', 'policy: { headers: [{ name: x-authz-caller }] }', /only this sidecar writes/],
  ['an underscore in a header', 'policy: { headers: [{ name: x_amount }] }', /without underscores/],
  ['a guardrail disabled for ever', 'policy: { guardrails: { disable: [{ id: a, because: b }] } }', /until: missing/],
  [
    'a day that is none',
    'policy: { guardrails: { disable: [{ id: a, because: b, until: 2026-02-30 }] } }',
    /is not a day/,
  ],
  ['one header for id and purpose', 'task: { headers: { id: x-t, purpose: x-t } }', /purpose: is the header of the id/],
  ['an anchor', 'hosts: &a [a.example]', /:2:11: the anchor '&a'; remove it/],
  ['a key twice', 'chain: {}\nchain: {}', /must be unique/],
  ['a tag', 'chain: !thing {}', /:2:15: the tag '!thing'; remove it/],
  ['a tag that is known', 'hosts: [!!str a.example]', /the tag 'tag:yaml.org,2002:str'; remove it/],
  ['a line end that is none elsewhere', '# a comment\rlisten: { unsafePlaintext: true }', /the character U\+000D/],
  ['a line separator', '# a comment\u2028listen: {}', /the character U\+2028/],
  ['the key that JavaScript cannot hold', '__proto__: {}', /the key '__proto__' is not read/],
  ['a merge key', '<<: {}', /the key '<<' is not read/],
  ['a key that is no text', '1: {}', /a key that is no text/],
  ['a host with the default port', 'hosts: ["payments.internal:443"]', /hosts\[0\]: names the default port/],
  ['a host with the default port of http', 'hosts: ["payments.internal:80"]', /hosts\[0\]: names the default port/],
  ['a host with a port that is none', 'hosts: ["payments.internal:65536"]', /hosts\[0\]: is not a host/],
  [
    'an issuer without an audience',
    'task: { issuers: [{ kind: txn-token, issuer: i, audience: "", jwks: { file: f }, trustDomains: [prod.example], purposes: [p] }] }',
    /audience: is empty/,
  ],
  [
    'a claim that is no pointer',
    'task: { issuers: [{ kind: jwt-svid, idClaim: /i~2, purposeClaim: /p, trustDomains: [prod.example], purposes: [p] }] }',
    /idClaim: is not a JSON pointer/,
  ],
  [
    'an issuer of no trust domain',
    'task: { issuers: [{ kind: jwt-svid, idClaim: /i, purposeClaim: /p, trustDomains: [], purposes: [p] }] }',
    /trustDomains: is empty/,
  ],
  [
    'an issuer of an unknown trust domain',
    'task: { issuers: [{ kind: jwt-svid, idClaim: /i, purposeClaim: /p, trustDomains: [x.example], purposes: [p] }] }',
    /issuers\[0\].trustDomains\[0\]: is not under/,
  ],
] as const) {
  test(`refused: ${name}`, () => {
    assert.match(fault(lines), wanted);
  });
}

const IDENTITY = 'identity:\n  trustDomains: { prod.example: { local: true, bundle: { file: a } } }\n';
const proxy = (mode: string) => `{ id: spiffe://prod.example/gw, mode: ${mode} }`;

for (const [name, lines, wanted] of [
  [
    'this Envoy forwards what the client sent',
    '  forwarded: { mode: forward-only }',
    /forwarded.mode: lets the client/,
  ],
  [
    'this Envoy forwards even without TLS',
    '  forwarded: { mode: always-forward-only }',
    /forwarded.mode: lets the client/,
  ],
  [
    'a proxy forwards what the client sent',
    `  forwarded: { mode: append-forward, hop: 1, trustedProxies: [${proxy('forward-only')}] }`,
    /trustedProxies\[0\].mode: lets the client/,
  ],
  [
    'a hop that Envoy replaces',
    `  forwarded: { mode: sanitize-set, hop: 1, trustedProxies: [${proxy('sanitize-set')}] }`,
    /hop: reads a second element/,
  ],
  [
    'a hop that nobody writes',
    '  forwarded: { mode: append-forward, hop: 1 }',
    /hop: reads an element that no trusted proxy writes/,
  ],
  [
    'two hops through proxies that replace',
    `  forwarded: { mode: append-forward, hop: 2, trustedProxies: [${proxy('sanitize-set')}] }`,
    /hop: needs a trusted proxy in mode append-forward/,
  ],
  [
    'a proxy of an unknown trust domain',
    '  forwarded: { mode: append-forward, hop: 1, trustedProxies: [{ id: spiffe://x.example/gw, mode: sanitize-set }] }',
    /trustedProxies\[0\].id: lies in a trust domain/,
  ],
  [
    'keys from two places',
    '  oidc: [{ issuer: https://i, jwks: { file: f }, discovery: true }]',
    /oidc\[0\]: needs exactly one of jwks/,
  ],
  ['keys from nowhere', '  oidc: [{ issuer: https://i }]', /oidc\[0\]: needs exactly one of jwks/],
  [
    'keys over plain HTTP',
    '  oidc: [{ issuer: i, jwks: { url: http://keys.example/ } }]',
    /url: would be fetched without TLS/,
  ],
  [
    'keys with a user in the URL',
    '  oidc: [{ issuer: i, jwks: { url: https://u@keys.example/ } }]',
    /url: is not a URL that can be fetched/,
  ],
  [
    'keys with a fragment in the URL',
    '  oidc: [{ issuer: i, jwks: { url: "https://keys.example/#a" } }]',
    /url: is not a URL that can be fetched/,
  ],
  [
    'discovery over plain HTTP',
    '  oidc: [{ issuer: http://idp.example, discovery: true }]',
    /issuer: cannot be discovered/,
  ],
  [
    'an issuer twice',
    '  oidc: [{ issuer: i, jwks: { file: f } }, { issuer: i, jwks: { file: g } }]',
    /oidc\[1\]: stands twice/,
  ],
  ['no algorithm', '  oidc: [{ issuer: i, jwks: { file: f }, algorithms: [] }]', /algorithms: is empty/],
  [
    'an algorithm that proves nothing',
    '  oidc: [{ issuer: i, jwks: { file: f }, algorithms: [HS256] }]',
    /algorithms\[0\]: must be one of/,
  ],
] as const) {
  test(`refused in identity: ${name}`, () => {
    const found = problems(IDENTITY + lines);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0]!, wanted);
  });
}

test('B29: an audience that is empty is no audience, and stops the start', () => {
  const found = problems(`${IDENTITY}  oidc: [{ issuer: i, jwks: { file: f }, audience: "" }]`);
  assert.match(found.join(), /oidc\[0\].audience: is empty/);
  assert.match(
    problems(`${IDENTITY}  oidc: [{ issuer: i, jwks: { file: f }, audience: [] }]`).join(),
    /audience: is not a text/,
  );
  const [issuer] = good(`${IDENTITY}  oidc: [{ issuer: i, jwks: { file: f }, audience: ours }]`).identity.oidc;
  assert.equal(issuer?.audience, 'ours');
});

test('B18: hops behind proxies that append are read', () => {
  const lines = `  forwarded: { mode: append-forward, hop: 1, trustedProxies: [${proxy('sanitize-set')}] }`;
  const { forwarded } = good(IDENTITY + lines).identity;
  assert.equal(forwarded.hop, 1);
  assert.equal(forwarded.trustedProxies[0]?.id.text, 'spiffe://prod.example/gw');
});

test('a local trust domain is needed, and its name must be one', () => {
  assert.match(
    problems('identity: { trustDomains: { a.b: { bundle: { file: f } } } }').join(),
    /no local trust domain/,
  );
  assert.match(problems('identity: { trustDomains: {} }').join(), /no local trust domain/);
  assert.match(
    problems('identity: { trustDomains: { A.b: { local: true, bundle: { file: f } } } }').join(),
    /is not a trust domain/,
  );
});

/** How a variable is named in the file. */
const variable = (name: string) => `\${${name}}`;

test('placeholders are filled from the environment that is handed in, as values only', () => {
  const [host, many] = [variable('HOST'), variable('MANY')];
  const file = `{ file: { path: "a-$${host}-${host}" } }`;
  const lines = `hosts: ["${host}"]\nlimits: { concurrentChecks: "${many}" }\nlisten: { unsafePlaintext: "${variable('YES')}" }\naudit: { sinks: [${file}] }\n`;
  const config = good(SMALLEST + lines, { HOST: 'a.example', MANY: '7', YES: 'true' });
  assert.deepEqual(config.hosts, ['a.example']);
  assert.equal(config.limits.concurrentChecks, 7);
  assert.equal(config.listen.unsafePlaintext, true);
  assert.deepEqual(config.audit.sinks, [{ to: 'file', path: `/etc/authz/a-${host}-a.example` }]);
  assert.match(fault(`hosts: ["${host}"]`), /:2:9: needs the environment variable HOST, which is not set$/);
  assert.match(fault(`hosts: ["${variable('toString')}"]`), /needs the environment variable toString/);
  assert.match(fault('hosts: ["${HO"]', { HO: 'x' }), /begins no placeholder/);
  assert.match(fault(`"${host}": {}`, { HOST: 'chain' }), /is not a key here/);
  assert.match(problems(`${SMALLEST}hosts: [${host}]`)[0]!, /inside \{ \} or \[ \] in quotes/);
  const injected = 'a.example]\nlisten: { unsafePlaintext: true }';
  assert.match(fault(`hosts: ["${host}"]`, { HOST: injected }), /control character/);
});

test('a value from the environment never shows in a problem', () => {
  const line = fault(`hosts: ["${variable('SECRET')}"]\n`, { SECRET: 'hunter2 hunter2' });
  assert.doesNotMatch(line, /hunter2/);
});

test('no text makes the loader throw', () => {
  const words = [
    'identity',
    ': ',
    '{',
    '}',
    '[',
    ']',
    '\n',
    '  ',
    '- ',
    'a.b',
    '&a',
    '*a',
    '!!x',
    '${',
    '}',
    '"',
    "'",
    '#',
    '|',
    '%',
    '\u0000',
    '?',
    'null',
    '1',
  ];
  const text = fc.array(fc.oneof(fc.constantFrom(...words), fc.string({ unit: 'binary', maxLength: 4 })), {
    maxLength: 30,
  });
  fc.assert(
    fc.property(text, (parts) => {
      loadConfig(parts.join(''), FILE, {});
    }),
    { numRuns: 300 },
  );
});

const AGENT = { SPIFFE_ENDPOINT_SOCKET: 'unix:///run/spire/agent.sock' };
const ENTRY = 'identity: { trustDomains: { prod.example: { local: true, workloadApi: {} } } }\n';

test('the SPIFFE agent is found through the variable that SPIFFE names, and the configuration overrides it', () => {
  const { workloadApi, trustDomains } = good(ENTRY, AGENT).identity;
  assert.deepEqual(workloadApi.socket, { kind: 'unix', path: '/run/spire/agent.sock' });
  assert.deepEqual(trustDomains['prod.example']?.source, { from: 'workloadApi' });
  const chosen = ENTRY.replace('identity: {', 'identity: { workloadApi: { socket: "tcp://127.0.0.1:8081" },');
  const tcp = { kind: 'tcp', host: '127.0.0.1', port: 8081, loopback: true };
  assert.deepEqual(good(chosen, AGENT).identity.workloadApi.socket, tcp);
  assert.match(problems(ENTRY)[0]!, /workloadApi: needs the address of the SPIFFE agent/);
  assert.equal(good(SMALLEST).identity.workloadApi.socket, null);
});

for (const socket of [
  'unix:agent.sock',
  'unix://run/agent.sock',
  'unix:///run/agent.sock?x',
  'unix:///run/%61gent.sock',
  'tcp://localhost:8081',
  'tcp://127.0.0.1:8081/path',
  'tcp://127.0.0.1',
  'tcp://10.0.0.1:8081',
  'https://127.0.0.1:8081',
  '/run/agent.sock',
]) {
  test(`refused as the address of a SPIFFE agent: ${socket}`, () => {
    assert.match(
      problems(ENTRY, { SPIFFE_ENDPOINT_SOCKET: socket })[0]!,
      /workloadApi.socket: SPIFFE_ENDPOINT_SOCKET (is not the|would bring)/,
    );
  });
}

test('the check port leaves the loopback address only with TLS and named peers, or by the unsafe choice', () => {
  const peers = 'peers: [spiffe://prod.example/envoy]';
  const { listen } = good(`${SMALLEST}listen: { check: 0.0.0.0:9191, tls: {}, ${peers} }`, AGENT);
  assert.deepEqual(
    [listen.tls, listen.peers.map(({ pattern }) => pattern.text)],
    [{ svid: null, files: null }, ['spiffe://prod.example/envoy']],
  );
  assert.match(fault('listen: { check: 0.0.0.0:9191, tls: {} }', AGENT), /peers: is empty/);
  assert.match(
    fault(`listen: { check: 0.0.0.0:9191, tls: {}, ${peers} }`),
    /tls: needs a certificate; set listen\.tls\.files, or the SPIFFE agent/,
  );
  const stranger = 'peers: [spiffe://else.example/envoy]';
  assert.match(fault(`listen: { check: 0.0.0.0:9191, tls: {}, ${stranger} }`, AGENT), /peers\[0\]: lies in a trust/);
  const both = `listen: { check: 0.0.0.0:9191, unsafePlaintext: true, tls: {}, ${peers} }`;
  assert.match(fault(both, AGENT), /unsafePlaintext: contradicts listen.tls/);
});

const FILES = 'files: { certificate: ./tls.crt, key: ./tls.key';

test('the certificate of the check port may come from files, without a SPIFFE agent', () => {
  const peers = 'peers: [{ id: "spiffe://prod.example/ns/*/sa/envoy", hosts: [a.example] }]';
  const { listen } = good(`${SMALLEST}listen: { check: 0.0.0.0:9191, tls: { ${FILES}, ca: ./ca.crt } }, ${peers} }`);
  const files = { certificate: '/etc/authz/tls.crt', key: '/etc/authz/tls.key', ca: '/etc/authz/ca.crt' };
  assert.deepEqual(listen.tls, { svid: null, files });
  const [peer] = listen.peers;
  assert.deepEqual([peer?.pattern.text, peer?.hosts], ['spiffe://prod.example/ns/*/sa/envoy', ['a.example']]);
  const from = good(`${SMALLEST}listen: { check: 0.0.0.0:9191, tls: { ${FILES} } }, peersFile: ./peers.yaml }`).listen;
  assert.deepEqual([from.peers, from.peersFile], [[], '/etc/authz/peers.yaml']);
});

const ONE_PEER = 'peers: [spiffe://prod.example/e]';
for (const [what, listen, says] of [
  [
    'both origins of a certificate',
    `tls: { svid: spiffe://prod.example/a, ${FILES} } }, ${ONE_PEER}`,
    /tls\.svid: asks/,
  ],
  ['a certificate without a key', `tls: { files: { certificate: a } }, ${ONE_PEER}`, /files\.key: missing/],
  ['peers in two places', `tls: { ${FILES} } }, ${ONE_PEER}, peersFile: a`, /peersFile: stands beside listen\.peers/],
  ['a file of peers without TLS', 'peersFile: a', /peersFile: needs listen\.tls/],
  [
    'a peer without hosts',
    `tls: { ${FILES} } }, peers: [{ id: spiffe://prod.example/e, hosts: [] }]`,
    /hosts: is empty, so/,
  ],
  [
    'a host that never arrives',
    `tls: { ${FILES} } }, peers: [{ id: spiffe://prod.example/e, hosts: [A.example] }]`,
    /hosts\[0\]: is not a host/,
  ],
  [
    'a star inside a segment',
    `tls: { ${FILES} } }, peers: ["spiffe://prod.example/e*"]`,
    /peers\[0\]: holds '\*' inside a segment/,
  ],
  ['a double star', `tls: { ${FILES} } }, peers: [{ id: "spiffe://prod.example/**" }]`, /peers\[0\]\.id: holds '\*\*'/],
  [
    'a peer twice',
    `tls: { ${FILES} } }, peers: [spiffe://prod.example/e, { id: spiffe://prod.example/e }]`,
    /peers\[1\]: stands twice/,
  ],
  [
    'an unknown key of a peer',
    `tls: { ${FILES} } }, peers: [{ id: spiffe://prod.example/e, host: a }]`,
    /peers\[0\]\.host: is not a key here; the keys are id, hosts/,
  ],
] as const) {
  test(`of the check port is refused, with what to write: ${what}`, () => {
    good(`${SMALLEST}listen: { check: 127.0.0.1:1, tls: { ${FILES} } }, ${ONE_PEER} }`);
    assert.match(fault(`listen: { check: 127.0.0.1:1, ${listen} }`), says);
  });
}

test('the authorities of the check port speak for the one local trust domain, and peers of others need a bundle', () => {
  const domain = (name: string, local: boolean) => `${name}: { local: ${local}, bundle: { file: a } }`;
  const whole = (peer: string, ca: string, ...domains: string[]) =>
    `identity: { trustDomains: { ${domains.join(', ')} } }
listen: { check: 127.0.0.1:1, tls: { ${FILES}${ca} } }, peers: [spiffe://${peer}/e] }`;
  const [mine, other] = [domain('prod.example', true), domain('partner.example', false)];
  good(whole('prod.example', ', ca: c', mine, other));
  good(whole('partner.example', '', mine, other));
  assert.match(
    problems(whole('partner.example', ', ca: c', mine, other)).join(),
    /peers\[0\]: lies in a trust domain that is not local, for which listen\.tls\.files\.ca does not speak/,
  );
  const two = domain('partner.example', true);
  assert.match(problems(whole('prod.example', ', ca: c', mine, two)).join(), /files\.ca: speaks for the local/);
});

test('a bundle has one origin, and a bundle endpoint one way to prove itself', () => {
  const domain = (text: string) => `identity: { trustDomains: { prod.example: { local: true, ${text} } } }`;
  const url = 'url: https://partner.example/bundle';
  const sourceOf = (text: string) => good(domain(text)).identity.trustDomains['prod.example']?.source;
  const web = sourceOf(`federation: { ${url}, profile: https_web }`);
  assert.ok(web?.from === 'federation');
  assert.deepEqual(web.profile, { kind: 'https_web', ca: null });
  const spiffe = sourceOf(
    `federation: { ${url}, profile: https_spiffe, endpointId: spiffe://prod.example/s, bootstrap: b }`,
  );
  assert.ok(spiffe?.from === 'federation' && spiffe.profile.kind === 'https_spiffe');
  assert.deepEqual(
    [spiffe.profile.endpoint.text, spiffe.profile.bootstrap],
    ['spiffe://prod.example/s', '/etc/authz/b'],
  );

  const wrong = (text: string) => problems(domain(text)).join('\n');
  assert.match(wrong(`bundle: { file: b }, federation: { ${url}, profile: https_web }`), /needs exactly one of/);
  assert.match(wrong(`federation: { ${url}, profile: https_spiffe }`), /endpointId: is missing/);
  assert.match(wrong(`federation: { ${url}, profile: https_web, bootstrap: b }`), /bootstrap: is for https_spiffe/);
  assert.match(wrong('federation: { url: "http://127.0.0.1/b", profile: https_web }'), /url: is not an https URL/);
});

test('nesting that the parser cannot follow is a problem, not a crash', () => {
  for (const depth of [500, 4000]) assert.ok(problems(`${'- '.repeat(depth)}${SMALLEST}`).length > 0, `${depth}`);
});

test('an issuer says who or why, not both', () => {
  const oidc = '[{ issuer: https://idp.example, jwks: { file: ./idp.json } }]';
  const issuer = (name: string) => `
task:
  issuers:
    - kind: access-token
      issuer: ${name}
      jwks: { file: ./as.json }
      trustDomains: [prod.example]
      purposes: [finance]
      idClaim: /task/id
      purposeClaim: /task/purpose
`;
  const identity = SMALLEST.replace(' } }\n', ` }, oidc: ${oidc} }\n`);
  good(identity + issuer('https://as.example'));
  const [found, ...more] = problems(identity + issuer('https://idp.example'));
  assert.deepEqual(more, []);
  assert.match(found!, /task\.issuers\[0\]\.issuer: stands under identity\.oidc too/);
});

test('header names that hold no secret may be policy headers', () => {
  for (const name of [
    'idempotency-key',
    'x-routing-key',
    'x-tenant',
    'x-author',
    'x-data-class',
    'x-keyboard',
    'authority-hint',
  ])
    assert.equal(good(`${SMALLEST}policy: { headers: [{ name: ${name} }] }\n`).policy.headers[0]?.name, name);
});

test('query parameters whose values the audit may hold are listed by name', () => {
  const config = good(`${SMALLEST}audit: { queryParameters: [page, 'filter[state]'] }\n`);
  assert.deepEqual(config.audit.queryParameters, ['page', 'filter[state]']);
});

const AUDIENCE = 'control: { audience: spiffe://prod.example/control }\n';
const REDIS = 'state: { store: redis, url: "redis://127.0.0.1:6379" }\n';

test('the control port takes a socket, the loopback address, or TCP with TLS and names', () => {
  const control = (text: string, env = {}) =>
    good(`${SMALLEST}${AUDIENCE}listen: { control: ${text} }`, env).listen.control;
  assert.equal(good(SMALLEST).listen.control, null);
  assert.deepEqual(control('{ address: "unix:///run/c.sock" }'), {
    address: { kind: 'unix', path: '/run/c.sock' },
    tls: null,
    hosts: [],
  });
  assert.deepEqual(control('{ address: "127.0.0.1:9193", hosts: [control.internal] }')?.hosts, ['control.internal']);
  const open = control('{ address: "0.0.0.0:9193", tls: {}, hosts: [control.internal] }', AGENT);
  assert.deepEqual(open?.tls, { svid: null, files: null });
  assert.deepEqual(control('{ address: "unix:///run/c.sock", tls: {} }', AGENT)?.tls, { svid: null, files: null });
  const alone = good(`${SMALLEST}${AUDIENCE}${REDIS}listen: { check: off, control: { address: "127.0.0.1:9193" } }`);
  assert.equal(alone.listen.check, null);
});

for (const [what, text, says] of [
  [
    'off loopback without TLS',
    'control: { address: "0.0.0.0:9193", hosts: [a.example] }',
    /address: lies off the loopback/,
  ],
  ['off loopback without names', `control: { address: "0.0.0.0:9193", tls: { ${FILES} } } }`, /hosts: is empty/],
  ['no certificate on a socket', 'control: { address: "unix:///c", tls: {} }', /control\.tls: needs a certificate/],
  [
    'the port of checks',
    'check: 127.0.0.1:9193, control: { address: "127.0.0.1:9193" }',
    /address: takes the port of listen\.check/,
  ],
  ['the port of status', 'control: { address: "127.0.0.1:9192" }', /address: takes the port of listen\.status/],
  ['the socket of checks', 'check: "unix:///c", control: { address: "unix:///c" }', /address: takes the socket/],
  ['no certificate', 'control: { address: "127.0.0.1:9193", tls: {} }', /control\.tls: needs a certificate/],
  [
    'no check port and no store',
    'check: off, control: { address: "unix:///c" }',
    /listen\.check: is off, so this process/,
  ],
  ['no port at all', 'check: off', /listen\.check: is off beside listen\.control: off/],
  ['a name that is none', 'control: { address: "unix:///c", hosts: [A] }', /hosts\[0\]: is not a host/],
] as const) {
  test(`of the control port is refused: ${what}`, () => {
    const found = problems(`${SMALLEST}${AUDIENCE}${what === 'no port at all' ? REDIS : ''}listen: { ${text} }`);
    assert.match(found.join('\n'), says);
    assert.equal(found.length, 1, found.join('\n'));
  });
}

test('without TLS the control port needs an audience, and one of its own', () => {
  assert.match(fault('listen: { control: { address: "unix:///c" } }'), /control\.audience: is missing/);
  good(`${SMALLEST}listen: { control: { address: "127.0.0.1:9193", tls: { ${FILES} } } } }`);
  const issuer = 'oidc: [{ issuer: "https://ci.example", audience: shared, jwks: { file: a } }]';
  const whole = `identity: { trustDomains: { prod.example: { local: true, bundle: { file: a } } }, ${issuer} }
listen: { control: { address: "unix:///c" } }\n`;
  good(`${whole}control: { audience: own }`);
  assert.match(problems(`${whole}control: { audience: shared }`).join('\n'), /control\.audience: is that of an issuer/);
});

test('what is for the check port is refused where that is off', () => {
  const off = `${AUDIENCE}${REDIS}listen: { check: off, control: { address: "unix:///c" }`;
  good(`${SMALLEST}${off} }`);
  assert.match(fault(`${off}, unsafePlaintext: true }`), /unsafePlaintext: is for the check port/);
  assert.match(fault(`${off}, peersFile: a }`), /peersFile: is for the check port/);
});
