import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { TestCa } from '../../test/support/ca.ts';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { HttpsKeys } from '../../test/support/https-keys.ts';
import { freePort } from '../../test/support/ports.ts';
import { Fault } from '../base/fault.ts';
import { fetchDocument } from './key-fetch.ts';

const BODY = '{"keys":[]}';
const dir = temporaryFolder();
const server = await HttpsKeys.start((request, response) => {
  if (request.url === '/moved') response.writeHead(302, { location: '/login?next=secret#x' }).end();
  else if (request.url === '/away') response.writeHead(301, { location: 'https://sso.example/keys' }).end();
  else if (request.url === '/gone') response.writeHead(404).end();
  else if (request.url === '/large') response.end(Buffer.alloc(1024 * 1024 + 1));
  else if (request.url === '/broken') response.write('{', () => response.destroy());
  else if (request.url !== '/silent') response.end(BODY);
});
after(async () => {
  await server.stop();
  removeFolder(dir);
});
const caFile = join(dir, 'ca.pem');
writeFileSync(caFile, server.ca.certificate.pem);

const never = new AbortController().signal;
async function faultOf(url: string, ca: string | null, signal = never): Promise<string> {
  const got = await fetchDocument(url, ca, signal);
  assert.ok(got instanceof Fault, 'a document came');
  return got.detail;
}

test('a document behind a private CA is read with that CA, and with no other', async () => {
  assert.equal(Buffer.from((await fetchDocument(`${server.url}/jwks`, caFile, never)) as Uint8Array).toString(), BODY);
  assert.match(await faultOf(`${server.url}/jwks`, null), /leads to no authority that is trusted here; name its CA/);
  const other = join(dir, 'other.pem');
  writeFileSync(other, TestCa.root('other.example').certificate.pem);
  assert.match(await faultOf(`${server.url}/jwks`, other), /leads to no authority that is trusted here/);
});

test('the file of the CA is read at each fetch, and its faults name it', async () => {
  const file = join(dir, 'rotating.pem');
  assert.match(await faultOf(`${server.url}/jwks`, file), /rotating\.pem cannot be read: ENOENT/);
  writeFileSync(file, 'no certificate');
  assert.match(await faultOf(`${server.url}/jwks`, file), /rotating\.pem holds no PEM certificate/);
  writeFileSync(file, server.ca.certificate.pem);
  assert.ok(!((await fetchDocument(`${server.url}/jwks`, file, never)) instanceof Fault));
  rmSync(file);
});

test('each way to fail is named apart from the others', async () => {
  const closed = `https://127.0.0.1:${await freePort()}/jwks`;
  assert.match(await faultOf(closed, caFile), /the connection was refused: nothing listens there \(ECONNREFUSED\)/);
  const moved = await faultOf(`${server.url}/moved`, caFile);
  assert.match(moved, /answered 302, a redirect to https:\/\/127\.0\.0\.1:\d+\/login; redirects are not followed/);
  assert.doesNotMatch(moved, /secret/);
  assert.match(
    await faultOf(`${server.url}/away`, caFile),
    /answered 301, a redirect to https:\/\/sso\.example\/keys;/,
  );
  assert.match(await faultOf(`${server.url}/gone`, caFile), /answered 404$/);
  assert.match(await faultOf(`${server.url}/large`, caFile), /more than 1048576 bytes/);
  assert.match(await faultOf(`${server.url}/broken`, caFile), /before an answer|aborted/);
  const plain = server.url.replace('https:', 'http:');
  assert.notEqual(await faultOf(`${plain}/jwks`, null), '');
  assert.match(await faultOf('https://nowhere.invalid/jwks', caFile), /has no address|could not be resolved/);
});

test('a certificate for another name, and one that has ended, are named', async () => {
  const now = Date.now();
  for (const [parts, wanted] of [
    [{ otherNames: [], dns: ['other.example'] }, /its certificate is for another host/],
    [{ notBefore: now - 7_200_000, notAfter: now - 3_600_000 }, /its certificate has expired/],
  ] as const) {
    const other = await HttpsKeys.start((_, response) => response.end(BODY), parts);
    const file = join(dir, 'one.pem');
    writeFileSync(file, other.ca.certificate.pem);
    assert.match(await faultOf(other.url, file), wanted);
    await other.stop();
  }
});

test('a fetch that is given up ends at once', async () => {
  const giving = new AbortController();
  const asked = faultOf(`${server.url}/silent`, caFile, giving.signal);
  giving.abort();
  assert.match(await asked, /abort/i);
});
