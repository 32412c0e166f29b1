import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pemBundle, TestCa } from '../support/ca.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { HttpsKeys } from '../support/https-keys.ts';
import { freePort } from '../support/ports.ts';
import { finish } from '../support/run.ts';

const root = join(import.meta.dirname, '..', '..');
const dir = temporaryFolder();
after(() => removeFolder(dir));
cpSync(join(root, 'cedar', 'example'), dir, { recursive: true });
writeFileSync(join(dir, 'bundle.pem'), pemBundle(TestCa.root('prod.example')));

const good = {
  listen: { check: `unix://${dir}/check.sock` },
  hosts: ['payments.internal'],
  identity: { trustDomains: { 'prod.example': { local: true, bundle: { file: './bundle.pem' } } } },
};

async function check(config: object): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const file = join(dir, 'config.yaml');
  writeFileSync(file, JSON.stringify(config));
  return await finish(process.execPath, [join(root, 'src', 'main.ts'), 'check-config', file]);
}

test('a configuration that could be served is good, and its notes stand before that', async () => {
  const { code, stdout, stderr } = await check(good);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^note: credentials of the inventory name the issuer https:\/\/ci\.example/m);
  assert.match(stdout, /config\.yaml: good\n$/);
});

test('what the inventory does not have fails the check, with everything else that is wrong', async () => {
  const { code, stdout, stderr } = await check({
    ...good,
    hosts: ['payment.internal'],
    audit: { sinks: [{ file: { path: './absent/audit.jsonl' } }] },
    listen: { check: `unix://${dir}/none/check.sock` },
  });
  assert.equal(code, 1);
  assert.match(stderr, /^hosts\[0\]: the inventory lists no host 'payment\.internal'/m);
  assert.match(stderr, /^audit\.sinks\[0\]\.file\.path: the folder \S+\/absent is not there; make it/m);
  assert.match(stderr, /^listen\.check: the folder \S+\/none is not there; make it/m);
  assert.doesNotMatch(stdout, /good/);
});

test('certificate, authorities and peers of the check port are read, and each thing that is wrong with them has a line', async () => {
  const ca = TestCa.root('prod.example');
  const [svid, other] = [ca.svid('spiffe://prod.example/authz'), ca.svid('spiffe://prod.example/authz')];
  const write = (files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  };
  const listen = {
    check: '127.0.0.1:0',
    tls: { files: { certificate: './tls.crt', key: './tls.key', ca: './ca.crt' } },
    peersFile: './peers.yaml',
  };
  const peers = 'peers: [spiffe://prod.example/ns/payments/sa/envoy]\n';
  write({ 'tls.crt': svid.pem, 'tls.key': svid.pkcs8Pem, 'ca.crt': pemBundle(ca), 'peers.yaml': peers });
  const found = await check({ ...good, listen });
  assert.equal(found.code, 0, found.stderr);

  write({
    'tls.key': other.pkcs8Pem,
    'ca.crt': 'nothing',
    'peers.yaml': "peers: ['spiffe://prod.example/e*', { id: spiffe://prod.example/e, hosts: [] }]",
  });
  const { code, stderr } = await check({ ...good, listen });
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^our own SVID is absent: \S+tls\.crt with \S+tls\.key: the private key is not that of the cert/m,
  );
  assert.match(stderr, /^the authorities of listen\.tls\.files\.ca are absent: \S+ca\.crt: no certificate$/m);
  assert.match(stderr, /^there are no peers: \S+peers\.yaml:1:9: peers\[0\]: holds '\*' inside a segment; /m);
  assert.match(stderr, /^there are no peers: \S+peers\.yaml:1:\d+: peers\[1\]\.hosts: is empty, /m);

  write({ 'tls.key': svid.pkcs8Pem, 'ca.crt': pemBundle(ca), 'peers.yaml': peers.replace('payments', 'else') });
  const unbound = await check({ ...good, listen });
  assert.match(unbound.stderr, /^\S+peers\.yaml: peers\[0\]: no host of the inventory is servedBy it, so it may ask/m);
  const { peersFile: _, ...inline } = listen;
  const named = { id: 'spiffe://prod.example/ns/*/sa/envoy', hosts: ['payment.internal'] };
  const unknown = await check({ ...good, listen: { ...inline, peers: [named] } });
  assert.match(
    unknown.stderr,
    /^listen\.peers\[0\]\.hosts\[0\]: the inventory lists no host 'payment\.internal'; add/m,
  );
});

const sink = (path: string) => ({ ...good, audit: { sinks: [{ file: { path } }] } });

test('a folder that is a file is named', async () => {
  writeFileSync(join(dir, 'a-file'), '');
  assert.match((await check(sink('./a-file/audit.jsonl'))).stderr, /file\.path: \S+\/a-file is no folder/);
});

test('an audit file that is a folder, and a socket that is a file, are named', async () => {
  assert.match((await check(sink('./policies'))).stderr, /file\.path: \S+\/policies is a folder/);
  const { stderr } = await check({ ...good, listen: { check: `unix://${dir}/inventory.yaml` } });
  assert.match(stderr, /listen\.check: \S+\/inventory\.yaml is there and is no socket/);
});

const asRoot = process.getuid?.() === 0;
test('a folder that may not be written to is named', { skip: asRoot && 'root may write everywhere' }, async () => {
  mkdirSync(join(dir, 'sealed'));
  chmodSync(join(dir, 'sealed'), 0o500);
  assert.match((await check(sink('./sealed/audit.jsonl'))).stderr, /sealed cannot be written to \(EACCES\)/);
});

test('keys that cannot be had: a private CA, a redirect, another issuer, nobody there, each in its own words', async () => {
  const keys = await HttpsKeys.start((_, response) => response.end('{"keys":[]}'));
  const plain = createServer((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: 'https://sso.example/login' }).end();
    else
      response.end(JSON.stringify({ issuer: 'https://idp.example/realms/prod', jwks_uri: 'https://idp.example/jwks' }));
  });
  await new Promise<void>((resolve) => plain.listen(0, '127.0.0.1', resolve));
  const base = `http://127.0.0.1:${(plain.address() as AddressInfo).port}`;
  const oidc = [
    { issuer: 'https://private.example', jwks: { url: `${keys.url}/jwks` } },
    { issuer: 'https://moved.example', jwks: { url: `${base}/moved` } },
    { issuer: base, discovery: true },
    { issuer: 'https://closed.example', jwks: { url: `http://127.0.0.1:${await freePort()}/jwks` } },
  ];
  const { code, stderr } = await check({ ...good, identity: { ...good.identity, oidc } });
  plain.closeAllConnections();
  plain.close();
  await keys.stop();
  assert.equal(code, 1);
  const line = (issuer: string) => stderr.split('\n').find((text) => text.startsWith(`no keys for issuer ${issuer}: `));
  assert.match(
    line('https://private.example') ?? '',
    /leads to no authority that is trusted here; name its CA with the key ca/,
  );
  assert.match(line('https://moved.example') ?? '', /answered 302, a redirect to https:\/\/sso\.example\/login/);
  assert.match(line(base) ?? '', /it says "https:\/\/idp\.example\/realms\/prod", and the two must be equal/);
  assert.match(line('https://closed.example') ?? '', /the connection was refused/);
});

test('a fault of the file of revocations is named with its line', async () => {
  const revocations = { file: './revocations.yaml' };
  assert.match((await check({ ...good, revocations })).stderr, /revocations\.yaml: .*no such file/);
  writeFileSync(join(dir, 'revocations.yaml'), 'revocations:\n  - { id: r-1, owner: payments, reason: r, by: b }\n');
  const { code, stderr } = await check({ ...good, revocations });
  assert.equal(code, 1);
  assert.match(stderr, /revocations\.yaml:2:5: revocations\[0\]\.until: missing|revocations\.yaml:2:5: until: missing/);
  writeFileSync(join(dir, 'revocations.yaml'), 'revocations: []\n');
  assert.equal((await check({ ...good, revocations })).code, 0);
});
