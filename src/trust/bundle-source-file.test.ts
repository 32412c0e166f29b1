import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { bundleDocument, TestCa } from '../../test/support/ca.ts';
import { TestClock } from '../../test/support/test-clock.ts';
import { systemClock } from '../base/clock.ts';
import type { TrustBundle } from './bundle.ts';
import type { BundleSink } from './bundle-source.ts';
import { bundleFile } from './bundle-source-file.ts';

const NOW = Date.UTC(2026, 10, 25);
const DOMAIN = 'example.org';
const ca = TestCa.root(DOMAIN, { now: NOW });
const second = TestCa.root(DOMAIN, { now: NOW });

type Delivery = { readonly bundle: TrustBundle | null } | { readonly fault: string };

/** Remembers what a source delivers, and lets a test wait for a delivery. */
class Deliveries implements BundleSink {
  readonly all: Delivery[] = [];
  #waiting: { wanted: (delivery: Delivery) => boolean; done: () => void }[] = [];

  accept(trustDomain: string, bundle: TrustBundle | null): void {
    assert.equal(trustDomain, DOMAIN);
    this.#add({ bundle });
  }

  reject(trustDomain: string, fault: string): void {
    assert.equal(trustDomain, DOMAIN);
    this.#add({ fault });
  }

  /** Resolves with the first delivery from now on that is wanted. */
  until(wanted: (delivery: Delivery) => boolean): Promise<void> {
    return new Promise((done) => this.#waiting.push({ wanted, done }));
  }

  #add(delivery: Delivery): void {
    this.all.push(delivery);
    for (const { wanted, done } of this.#waiting) if (wanted(delivery)) done();
  }
}

const roots = (delivery: Delivery | undefined) =>
  delivery !== undefined && 'bundle' in delivery
    ? (delivery.bundle?.x509Authorities.map((root) => root.thumbprint) ?? 'withdrawn')
    : delivery?.fault;
const isOf = (one: TestCa) => (delivery: Delivery) => String(roots(delivery)) === one.certificate.thumbprint;
const isFault = (delivery: Delivery) => 'fault' in delivery;

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'bundle-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function started(t: TestContext, file: string) {
  const deliveries = new Deliveries();
  const source = bundleFile({ trustDomain: DOMAIN, file, maxStaleMs: 3_600_000, clock: systemClock });
  t.after(() => source.stop());
  await source.start(deliveries);
  return { source, deliveries };
}

test('a file is delivered at the start', async (t) => {
  const file = join(folderFor(t), 'bundle.json');
  writeFileSync(file, JSON.stringify(bundleDocument([ca])));
  const { deliveries } = await started(t, file);
  assert.deepEqual(deliveries.all.map(roots), [[ca.certificate.thumbprint]]);
});

test('a file that is not there is a fault, and delivered once it is', async (t) => {
  const file = join(folderFor(t), 'bundle.pem');
  const { deliveries } = await started(t, file);
  assert.match(String(roots(deliveries.all[0])), /bundle\.pem: ENOENT/);
  const delivered = deliveries.until(isOf(ca));
  writeFileSync(file, ca.certificate.pem);
  await delivered;
});

test('a change is delivered, a bad one as a fault', async (t) => {
  const file = join(folderFor(t), 'bundle.pem');
  writeFileSync(file, ca.certificate.pem);
  const { deliveries } = await started(t, file);
  const fault = deliveries.until(isFault);
  writeFileSync(file, 'broken');
  await fault;
  const delivered = deliveries.until(isOf(second));
  writeFileSync(file, second.certificate.pem);
  await delivered;
});

test('a file that is renamed into place is delivered', async (t) => {
  const folder = folderFor(t);
  const file = join(folder, 'bundle.pem');
  writeFileSync(file, ca.certificate.pem);
  const { deliveries } = await started(t, file);
  const delivered = deliveries.until(isOf(second));
  writeFileSync(`${file}.new`, second.certificate.pem);
  renameSync(`${file}.new`, file);
  await delivered;
});

test('the symbolic links of a ConfigMap are followed when they are swapped', async (t) => {
  const folder = folderFor(t);
  for (const [name, one] of Object.entries({ '..v1': ca, '..v2': second })) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'bundle.pem'), one.certificate.pem);
  }
  symlinkSync('..v1', join(folder, '..data'));
  symlinkSync('..data/bundle.pem', join(folder, 'bundle.pem'));
  const { deliveries } = await started(t, join(folder, 'bundle.pem'));
  assert.ok(isOf(ca)(deliveries.all[0]!));
  const delivered = deliveries.until(isOf(second));
  symlinkSync('..v2', join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  await delivered;
});

test('a reload delivers what is there now, also while another read is under way', async (t) => {
  const file = join(folderFor(t), 'bundle.pem');
  writeFileSync(file, ca.certificate.pem);
  const { source, deliveries } = await started(t, file);
  const underWay = source.refresh();
  writeFileSync(file, second.certificate.pem);
  await Promise.all([underWay, source.refresh()]);
  assert.ok(isOf(second)(deliveries.all.at(-1)!));
});

test('an unchanged file is delivered again, so that it stays fresh', async (t) => {
  const file = join(folderFor(t), 'bundle.pem');
  writeFileSync(file, ca.certificate.pem);
  const { source, deliveries } = await started(t, file);
  await source.refresh();
  assert.equal(deliveries.all.filter(isOf(ca)).length, 2);
});

test('a file is read again by itself well within the time after which it is stale', async (t) => {
  const clock = new TestClock(NOW);
  const file = join(folderFor(t), 'bundle.pem');
  writeFileSync(file, ca.certificate.pem);
  const deliveries = new Deliveries();
  const source = bundleFile({ trustDomain: DOMAIN, file, maxStaleMs: 30_000, clock });
  t.after(() => source.stop());
  await source.start(deliveries);
  const again = deliveries.until(isOf(ca));
  clock.advance(10_000);
  await again;
});

test('a map that no longer has the trust domain withdraws it', async (t) => {
  const file = join(folderFor(t), 'bundles.json');
  writeFileSync(file, JSON.stringify({ trust_domains: {} }));
  const { deliveries } = await started(t, file);
  assert.deepEqual(deliveries.all.map(roots), ['withdrawn']);
});

test('a file that is no UTF-8 or too long is a fault', async (t) => {
  const file = join(folderFor(t), 'bundle.pem');
  writeFileSync(file, Buffer.from([0xff]));
  const { source, deliveries } = await started(t, file);
  writeFileSync(file, ca.certificate.pem + '\n'.repeat(4 * 1024 * 1024));
  await source.refresh();
  assert.match(String(roots(deliveries.all[0])), /UTF-8/);
  assert.match(String(roots(deliveries.all.at(-1))), /longer than/);
});

test('a stopped source delivers no more', async (t) => {
  const file = join(folderFor(t), 'bundle.pem');
  writeFileSync(file, ca.certificate.pem);
  const { source, deliveries } = await started(t, file);
  source.stop();
  writeFileSync(file, second.certificate.pem);
  await source.refresh();
  assert.equal(deliveries.all.length, 1);
});
