import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Refusal } from '../../base/outcome.ts';
import { type SeenWorkload, WorkloadBook } from '../../behaviour/workload-book.ts';
import type { Target } from '../../inventory/model.ts';
import { ProcessBook } from '../../state/process-book.ts';
import { type QuarantineReports, Quarantining, shadowQuarantine } from './quarantine.ts';

const MINUTE = 60_000;
const who: SeenWorkload = { id: 'spiffe://prod.example/a', trustDomain: 'prod.example', groups: [] };
const target = (sensitivity: number) => ({ resource: { sensitivity } }) as Target;

/** A workload that was known for ten days, and the book of revocations that its scans are ordered in. */
function world(revocations = new ProcessBook()) {
  const told: string[] = [];
  const log = (level: string) => (message: string) => void told.push(`${level} ${message}`);
  const reports = {
    log: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    metrics: { counted: (name: string) => void told.push(name) },
    audit: { change: ({ event }: { readonly event: string }) => void told.push(event) },
  } as unknown as QuarantineReports;
  const book = new WorkloadBook(100, 1);
  let now = Date.UTC(2026, 0, 5);
  const ask = (api: string, afterMs: number) => {
    now += afterMs;
    const assessed = book.assess(who, { api, isNewApi: false, writes: false, client: null }, now);
    book.learn(assessed, 'allowed', now);
    return assessed;
  };
  for (let n = 0; n < 2900; n++) ask(`host/api${n % 5}`, 300_000);
  const quarantining = new Quarantining(book, revocations, false, reports);
  let apis = 0;
  /** Requests to apis that were never used, until one is refused. */
  const scan = (sensitivity = 2): Refusal | null => {
    for (let n = 0; n < 40; n++) {
      const refused = quarantining.check(ask(`host/hidden${apis++}`, MINUTE), target(sensitivity), now);
      if (refused !== null) return refused;
    }
    return null;
  };
  return { book, quarantining, revocations, told, scan, ask, now: () => now };
}

suite('a quarantine', () => {
  test('is a revocation of the workload that ends, made by the request that crosses, which is refused', async () => {
    const { scan, revocations, told, now, quarantining } = world();
    const refused = scan();
    assert.ok(refused instanceof Refusal);
    assert.equal(refused.reason, 'revoked_workload');
    await turn();
    const [known] = [...revocations.all()];
    const { id, subject, untilMs, by, reason } = known!.revocation;
    assert.equal(refused.detail, `by the revocation ${id}`);
    assert.deepEqual([subject, untilMs, by], [`workload ${who.id}`, now() + 15 * MINUTE, 'behaviour']);
    assert.match(reason, /^behaviour: novel-endpoint 8\d \(\d\d in \d\d requests\)$/);
    assert.deepEqual(told, ['authz_behaviour_quarantines_total', 'warn workload quarantined', 'revocations-changed']);
    assert.equal(quarantining.running(now()).length, 1);
  });

  test('is made at what is not public alone', () => {
    const { scan, told } = world();
    assert.equal(scan(0), null);
    assert.deepEqual(told, []);
    assert.ok(scan(1) instanceof Refusal);
  });

  test('is one, however many requests cross while it is ordered', async () => {
    const { scan, revocations } = world();
    for (let n = 0; n < 5; n++) assert.ok(scan() instanceof Refusal);
    await turn();
    assert.equal([...revocations.all()].length, 1);
  });

  test('that a person lifts says that it is normal: what led to it is usual from then on', async () => {
    const { scan, ask, revocations, now, quarantining } = world();
    scan();
    await turn();
    const [known] = [...revocations.all()];
    await revocations.lift({ id: known!.revocation.id, reason: 'we moved', by: 'ann', atMs: now() });
    const again = ask('host/hidden0', MINUTE);
    assert.equal(quarantining.check(again, target(2), now()), null);
    assert.equal(quarantining.running(now()).length, 0);
    assert.equal(ask('host/hidden1', MINUTE).found.risk, 0);
    assert.ok(scan() instanceof Refusal, 'another scan is another matter');
  });

  test('that is not taken is refused here, told, and ordered again after a second', async () => {
    const { scan, told, revocations } = world(new ProcessBook(() => {}, { entries: 0 }));
    assert.ok(scan() instanceof Refusal);
    await turn();
    assert.ok(told.includes('error quarantine not ordered'));
    assert.ok(scan() instanceof Refusal);
    await turn();
    assert.equal(told.filter((line) => line === 'error quarantine not ordered').length, 2);
    assert.deepEqual([...revocations.all()], []);
  });

  test('goes on after a start with the baselines, where nothing else remembers it', async () => {
    const { scan, book, now, told } = world();
    scan();
    const next = new WorkloadBook(100, 1);
    for (const stored of book.all()) next.restore(stored);
    const revocations = new ProcessBook();
    const reports = { audit: { change: () => {} }, log: {}, metrics: {} } as unknown as QuarantineReports;
    const again = new Quarantining(next, revocations, false, reports);
    again.resume(now());
    await turn();
    assert.deepEqual(
      [...revocations.all()].map(({ revocation }) => [revocation.subject, revocation.untilMs]),
      [[`workload ${who.id}`, now() + 15 * MINUTE]],
    );
    const shared = new ProcessBook();
    new Quarantining(next, shared, true, reports).resume(now());
    assert.deepEqual([...shared.all()], [], 'a book that outlives the process has it, or it was lifted there');
    assert.ok(told.length > 0);
  });
});

test('where nobody is held back, it is told what a quarantine would refuse until it would end, and no baseline remembers it', () => {
  const { book, ask, now, revocations } = world();
  const would = shadowQuarantine(book);
  assert.equal(would(ask('host/api1', MINUTE), target(2), now()), false);
  let asked = 0;
  const crossing = Array.from({ length: 40 }, () => ask(`host/other${asked++}`, 1000)).findIndex((assessed) =>
    would(assessed, target(2), now()),
  );
  assert.ok(crossing > 5 && crossing < 30, String(crossing));
  for (let n = 0; n < 200; n++) ask('host/api1', 2000);
  const calm = ask('host/api1', 1000);
  assert.equal(calm.found.risk, 0);
  assert.equal(would(calm, target(0), now()), true, 'whatever it asks for');
  const [stored] = [...book.all()];
  const next = new WorkloadBook(100, 1);
  next.restore(stored!);
  new Quarantining(next, revocations, false, {} as QuarantineReports).resume(now());
  assert.deepEqual([...revocations.all()], [], 'act begins without it');
  assert.equal(would(ask('host/api1', 15 * MINUTE), target(2), now()), false);
  assert.deepEqual([...revocations.all()], []);
});
