import assert from 'node:assert/strict';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type Issued, pem, TestCa } from '../../test/support/ca.ts';
import { removeFolder, temporaryFolder } from '../../test/support/folder.ts';
import { swapMounted } from '../../test/support/mounted.ts';
import { until } from '../../test/support/until.ts';
import { systemClock } from '../base/clock.ts';
import { Fault } from '../base/fault.ts';
import { type OwnSvid, readOwnFiles } from './own-svid.ts';
import { svidFiles } from './own-svid-files.ts';
import { OwnIdentity, type OwnIdentityEvent } from './own-svid-source.ts';

const ID = 'spiffe://prod.example/ns/platform/sa/authz';
const ca = TestCa.root('prod.example');
const good = ca.svid(ID);
const read = (cert: string, key: string): OwnSvid | Fault => readOwnFiles(cert, key, ca.now);
const sec1 = ({ keys }: Issued): string => keys.privateKey.export({ type: 'sec1', format: 'pem' }).toString();

describe('a certificate and its key as files', () => {
  const rsa = ca.svid(ID, { keyType: 'rsa2048' });
  const pkcs1 = rsa.keys.privateKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  const intermediate = ca.intermediate();
  const below = intermediate.svid(ID);
  const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
  for (const [what, cert, key, id] of [
    ['PKCS #8, as csi-driver-spiffe and Istio write it', good.pem, good.pkcs8Pem, ID],
    ['PKCS #1, as cert-manager writes RSA keys', rsa.pem, pkcs1, ID],
    ['SEC 1, as cert-manager writes EC keys', good.pem, sec1(good), ID],
    ['SEC 1 below its parameters, as OpenSSL writes it', good.pem, parameters + sec1(good), ID],
    ['a chain', below.pem + intermediate.certificate.pem, below.pkcs8Pem, ID],
    ['lines that end in CRLF', good.pem.replaceAll('\n', '\r\n'), good.pkcs8Pem.replaceAll('\n', '\r\n'), ID],
  ] as const) {
    test(`taken in the form of tools: ${what}`, () => {
      const svid = read(cert, key);
      if (svid instanceof Fault) assert.fail(svid.detail);
      assert.equal(svid.id?.text, id);
      assert.equal(svid.certificatesPem.match(/BEGIN CERTIFICATE/g)?.length, cert.match(/BEGIN CERTIFICATE/g)?.length);
    });
  }

  test('it need be no SVID: clients may know it by its DNS name', () => {
    const dns = ca.issue({ dns: ['authz.platform.svc'], keyUsageCritical: false, extendedKeyUsage: null });
    const svid = read(dns.pem, dns.pkcs8Pem);
    if (svid instanceof Fault) assert.fail(svid.detail);
    assert.equal(svid.id, null);
  });

  const encrypted = good.keys.privateKey
    .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' })
    .toString();
  const withParts = (parts: Parameters<TestCa['svid']>[1]): [string, string] => {
    const issued = ca.svid(ID, { keys: good.keys, ...parts });
    return [issued.pem, issued.pkcs8Pem];
  };
  const [HOUR, tiny] = [3_600_000, ca.svid(ID, { keyType: 'rsa1024' })];
  for (const [what, cert, key, says] of [
    ['the key of another', good.pem, ca.svid(ID).pkcs8Pem, /^the private key is not that of the certificate$/],
    ['an encrypted key', good.pem, encrypted, /^the private key cannot be read; write it as PEM without a passphrase$/],
    [
      'a chain of which one is none',
      good.pem + pem(Buffer.from('junk')),
      good.pkcs8Pem,
      /^OpenSSL does not take the cert/,
    ],
    ['no key', good.pem, '', /^the private key cannot be read/],
    ['half a key', good.pem, good.pkcs8Pem.slice(0, 80), /^the private key cannot be read/],
    ['no certificate', '', good.pkcs8Pem, /^the certificate file: no certificate$/],
    ['half a certificate', good.pem.slice(0, 200), good.pkcs8Pem, /^the certificate file: a block that does not end$/],
    [
      'the key in place of the certificate',
      good.pkcs8Pem,
      good.pkcs8Pem,
      /^the certificate file: a block that is no cert/,
    ],
    ['an expired one', ...withParts({ notBefore: ca.now - 2 * HOUR, notAfter: ca.now - HOUR }), /has expired, on 20/],
    [
      'one that is not valid yet',
      ...withParts({ notBefore: ca.now + HOUR, notAfter: ca.now + 2 * HOUR }),
      /not valid bef/,
    ],
    [
      'one of an authority',
      ...withParts({ ca: true }),
      /^the certificate is not one of a workload: the CA flag is set/,
    ],
    [
      'one for clients alone',
      ...withParts({ extendedKeyUsage: ['clientAuth'] }),
      /^the certificate is not for a server/,
    ],
    ['a key that is too short', tiny.pem, tiny.pkcs8Pem, /^the certificate: the kind of its public key/],
  ] as const) {
    test(`not taken: ${what}`, () => {
      assert.ok(!(read(good.pem, good.pkcs8Pem) instanceof Fault));
      const svid = read(cert, key);
      assert.ok(svid instanceof Fault);
      assert.match(svid.detail, says);
    });
  }
});

describe('the certificate of files', () => {
  let folder: string;
  let own: OwnIdentity;
  let events: OwnIdentityEvent[];
  let current: OwnSvid | null;
  const status = () => own.status(Date.now());
  const put = (file: string, text: string) => {
    writeFileSync(join(folder, `${file}.new`), text);
    renameSync(join(folder, `${file}.new`), join(folder, file));
  };
  const start = async () => {
    events = [];
    const [certificate, key] = [join(folder, 'tls.crt'), join(folder, 'tls.key')];
    const source = svidFiles({ certificate, key, clock: systemClock });
    own = new OwnIdentity({ source, onEvent: (event) => events.push(event) });
    await own.start();
    own.onChange((svid) => {
      current = svid;
    });
  };
  const taken = (svid: Issued) => until('the new one', () => (current?.thumbprint === svid.thumbprint ? true : null));
  const fault = () => until('the fault', () => status().fault);

  beforeEach(() => {
    folder = temporaryFolder();
  });
  afterEach(async () => {
    await own.stop();
    removeFolder(folder);
  });

  test('files that are written one after the other are taken when they belong together, and not before', async () => {
    put('tls.crt', good.pem);
    put('tls.key', good.pkcs8Pem);
    await start();
    assert.equal(current?.thumbprint, good.thumbprint);
    const next = ca.svid(ID);
    put('tls.crt', next.pem);
    assert.match(await fault(), /tls\.crt with .*tls\.key: the private key is not that of the certificate$/);
    assert.equal(current?.thumbprint, good.thumbprint);
    assert.equal(status().state, 'valid');
    put('tls.key', next.pkcs8Pem);
    await taken(next);
    assert.equal(status().fault, null);
  });

  test('a mounted Secret is taken over when its link is moved, without a fault between', async () => {
    const mount = (version: string, { pem, pkcs8Pem }: Issued) =>
      swapMounted(folder, version, { 'tls.crt': pem, 'tls.key': pkcs8Pem });
    mount('..first', good);
    await start();
    for (const version of ['..second', '..third', '..fourth']) {
      const next = ca.svid(ID);
      mount(version, next);
      await taken(next);
    }
    assert.deepEqual(new Set(events.map(({ result }) => result)), new Set(['rotated']));
  });

  test('files that are not there yet are a fault with their name, and taken when they come', async () => {
    await start();
    assert.deepEqual([status().state, current], ['absent', null]);
    assert.match(status().fault ?? '', /tls\.crt: ENOENT/);
    put('tls.crt', good.pem);
    put('tls.key', good.pkcs8Pem);
    await taken(good);
  });

  test('what is taken away, or too large, leaves the last good pair', async () => {
    put('tls.crt', good.pem);
    put('tls.key', good.pkcs8Pem);
    await start();
    rmSync(join(folder, 'tls.key'));
    assert.match(await fault(), /tls\.key: ENOENT/);
    put('tls.key', `${' '.repeat(300_000)}${good.pkcs8Pem}`);
    await until('the fault', () => (status().fault?.endsWith('tls.key: longer than 262144 bytes') ? true : null));
    assert.equal(current?.thumbprint, good.thumbprint);
    assert.deepEqual(new Set(events.map(({ notAfter }) => notAfter === null)), new Set([false]));
    put('tls.key', good.pkcs8Pem);
    await until('the end of the fault', () => (status().fault === null ? true : null));
  });
});
