import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { type Reason, reasons } from '../src/base/outcome.ts';
import { askOf, readGolden } from './support/golden.ts';
import { policyCli, writeFiles } from './support/policy-cli.ts';
import { World } from './support/world.ts';
import { worlds } from './support/world-kinds.ts';

/** The world of the golden cases, after it answered all of them. */
let world: World;
let lines: readonly string[];

before(async () => {
  world = await World.start(worlds.mesh);
  for (const ask of asks(world)) await world.send(ask);
  lines = world.audit().map((line) => JSON.stringify(line));
});
after(() => world?.stop());

/** The requests of the golden cases. */
function* asks(world: World) {
  const folder = join(import.meta.dirname, 'cases', 'golden');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.yaml'))) {
    const golden = readGolden(readFileSync(join(folder, file), 'utf8'));
    if (golden.world === 'mesh') yield askOf(golden, world);
  }
}

interface Replayed {
  readonly judged: number;
  readonly sameRevision: number;
  readonly inexact: number;
  readonly changes: readonly {
    readonly caller: string;
    readonly before: { readonly result: string };
    readonly now: { readonly result: string; readonly reason: string; readonly by: readonly string[] };
    readonly count: number;
  }[];
  readonly shadow: readonly { readonly policy: string; readonly would: string; readonly count: number }[];
  readonly left: Readonly<Record<string, number>>;
}

async function replay(audit = 'audit.jsonl', config = 'config.yaml') {
  const { code, stdout, stderr } = await policyCli(
    'replay',
    join(world.folder, audit),
    '--config',
    join(world.folder, config),
    '--json',
  );
  assert.equal(stderr, '');
  return { code, replayed: JSON.parse(stdout) as Replayed };
}

const reachedPolicy = (line: string): boolean => (JSON.parse(line).hops ?? []).length > 0;

/** A copy of the folder's policies with another file in it, and a configuration that names it. */
function otherPolicies(name: string, files: Readonly<Record<string, string>>): string {
  const policies = Object.fromEntries(
    readdirSync(join(world.folder, 'policies')).map((file) => [
      `${name}/${file}`,
      readFileSync(join(world.folder, 'policies', file), 'utf8'),
    ]),
  );
  const more = Object.fromEntries(Object.entries(files).map(([file, text]) => [`${name}/${file}`, text]));
  const config = readFileSync(join(world.folder, 'config.yaml'), 'utf8');
  writeFiles(world.folder, {
    ...policies,
    ...more,
    [`${name}.yaml`]: config.replace('folder: ./policies', `folder: ./${name}`),
  });
  return `${name}.yaml`;
}

suite('policy replay', () => {
  test('by the same policies every past decision is what it was, whatever its kind', async () => {
    const { code, replayed } = await replay();
    const judged = lines.filter(reachedPolicy).length;
    assert.ok(judged > 15);
    assert.deepEqual(replayed.changes, []);
    assert.deepEqual([replayed.judged, replayed.sameRevision, replayed.inexact], [judged, judged, 0]);
    const checks = lines.filter((line) => !('event' in JSON.parse(line)));
    assert.equal(replayed.left['before policy'], checks.length - judged);
    assert.equal(code, 0);
  });

  test('tells what another policy would change, and what one in shadow would', async () => {
    const config = otherPolicies('stricter', {
      'more.cedar': `@id("no-agents") forbid (principal, action, resource) when { principal.kind == Mesh::Kind::"agent" };
@id("nobody") @mode("shadow") forbid (principal, action, resource);`,
    });
    const { code, replayed } = await replay('audit.jsonl', config);
    assert.equal(code, 1);
    assert.equal(replayed.sameRevision, 0);
    const flipped = replayed.changes.filter(({ before, now }) => before.result !== now.result);
    assert.ok(flipped.length > 0);
    for (const { before, now } of flipped) {
      assert.deepEqual([before.result, now.result, now.reason], ['allow', 'deny', 'policy_forbidden']);
      assert.ok(now.by.includes('no-agents'));
    }
    const wereAllowed = lines.filter(
      (line) =>
        JSON.parse(line).result === 'allow' &&
        JSON.parse(line).hops.some(({ id }: { id: string }) => /agents|tool-server/.test(id)),
    ).length;
    assert.equal(
      flipped.reduce((sum, { count }) => sum + count, 0),
      wereAllowed,
    );
    const shadow = replayed.shadow.find(({ policy }) => policy === 'nobody');
    assert.equal(shadow?.would, 'deny');
    assert.ok(shadow.count > 0);
  });

  test('a workload that has left the inventory is refused now', async () => {
    const config = otherPolicies('fewer', {});
    const inventory = readFileSync(join(world.folder, 'inventory.yaml'), 'utf8');
    const entry = /\n {2}- id: spiffe:\/\/prod\.example\/ns\/payments\/sa\/ledger\n(?: {4}.*\n)*/;
    assert.match(inventory, entry);
    writeFiles(world.folder, { 'fewer-inventory.yaml': inventory.replace(entry, '\n') });
    writeFiles(world.folder, {
      [config]: readFileSync(join(world.folder, config), 'utf8').replace('./inventory.yaml', './fewer-inventory.yaml'),
      'fewer/payments.cedar': readFileSync(join(world.folder, 'policies/payments.cedar'), 'utf8').replace(
        /@id\("[^"]*"\)[^;]*sa\/ledger"[^;]*;/g,
        '',
      ),
    });
    const { replayed } = await replay('audit.jsonl', config);
    const gone = replayed.changes.filter(({ caller }) => caller.endsWith('/sa/ledger'));
    assert.ok(gone.length > 0);
    for (const { now } of gone) assert.match(now.reason, /^the inventory knows no 'spiffe:/);
  });

  test('a refusal that another inventory would not make is no decision that stays', async () => {
    const config = otherPolicies('more', {});
    const inventory = readFileSync(join(world.folder, 'inventory.yaml'), 'utf8');
    const stranger = 'spiffe://prod.example/ns/new/sa/comer';
    const entry = `workloads:\n  - { id: "${stranger}", owner: payments, kind: job }\n`;
    const host = 'resources:\n  - { host: new.internal, owner: payments }\n';
    writeFiles(world.folder, {
      'more-inventory.yaml': inventory.replace(/^workloads:\n/m, entry).replace(/^resources:\n/m, host),
      [config]: readFileSync(join(world.folder, config), 'utf8').replace('./inventory.yaml', './more-inventory.yaml'),
    });
    const known = JSON.parse(lines.find(reachedPolicy)!);
    const refused = (reason: string, detail: string, request: object = {}) =>
      JSON.stringify({ ...known, result: 'deny', reason, detail, hops: [], request: { ...known.request, ...request } });
    const unregistered = (id: string) =>
      refused('caller_unregistered', `no workload entry of the inventory holds for ${id}`);
    const audit = [
      unregistered(stranger),
      unregistered('spiffe://prod.example/nobody'),
      refused('request_host_unknown', 'no such host', { host: 'new.internal', path: '/x' }),
      refused('request_host_unknown', 'no such host', { host: 'newer.internal', path: '/x' }),
      refused('task_purpose', '"x" is no purpose of the inventory'),
      refused('identity_svid_expired', 'expired'),
    ];
    writeFileSync(join(world.folder, 'refused.jsonl'), audit.join('\n'));
    const asked = ['replay', join(world.folder, 'refused.jsonl'), '--config', join(world.folder, config)];
    const { code, stdout } = await policyCli(...asked);
    assert.equal(code, 1);
    assert.match(stdout, /^None of those evaluated would change\.$/m);
    assert.match(stdout, /^2 were refused before policies were evaluated, and would now reach policies:$/m);
    assert.match(stdout, /^Whether this inventory still refuses these is not in their lines: task_purpose \(1\)$/m);
    const same = await policyCli(...asked.with(3, join(world.folder, 'config.yaml')));
    assert.deepEqual([same.code, /^None would change\.$/m.test(same.stdout)], [0, true]);
  });

  test('an allow that was withdrawn is told by a line of its own, which is no unreadable one', async () => {
    const { boot, seq, prev, time, decision } = JSON.parse(lines.find(reachedPolicy)!);
    const withdrawn = { time, boot, seq, prev, event: 'withdrawn', of: 7, answered: 'audit_unavailable', decision };
    writeFileSync(join(world.folder, 'withdrawn.jsonl'), [...lines, JSON.stringify(withdrawn)].join('\n'));
    const before = await replay('audit.jsonl');
    const { code, replayed } = await replay('withdrawn.jsonl');
    const noCheck = (before.replayed.left['no check'] ?? 0) + 1;
    assert.deepEqual([code, replayed.left.unreadable, replayed.left['no check']], [0, 0, noCheck]);
  });

  test('a line that does not hold all that decided is told, not guessed', async () => {
    const judged = lines.find(reachedPolicy)!;
    const change = (edit: (line: Record<string, unknown>) => void): string => {
      const line = JSON.parse(judged) as Record<string, unknown>;
      edit(line);
      return JSON.stringify(line);
    };
    const facts = JSON.parse(judged).facts as object;
    const query = `token=jwt:sha256:${'0'.repeat(64)}`;
    const audit = [
      lines[0]!,
      judged,
      change((line) => {
        line.clipped = true;
      }),
      change((line) => {
        line.facts = { ...facts, query };
      }),
      change((line) => {
        line.facts = { ...facts, headers: { 'x-data-class': query } };
      }),
      change((line) => {
        line.hops = [];
      }),
      change((line) => {
        line.hops = 'none';
      }),
      '{"time":',
      '[]',
      'null',
    ];
    writeFileSync(join(world.folder, 'parts.jsonl'), `${audit.join('\n')}\n`);
    const { replayed } = await replay('parts.jsonl');
    // No policy of this mesh reads the query, so digests in it leave the line exact.
    assert.equal(replayed.judged, 2);
    assert.deepEqual(replayed.left, { 'no check': 1, unreadable: 4, 'before policy': 1, 'not exact': 2 });
  });

  test('a decision that comes out otherwise by the same revision is called out', async () => {
    const allowed = lines.find((line) => reachedPolicy(line) && JSON.parse(line).result === 'allow')!;
    const lacking = JSON.parse(allowed) as { hops: { result: string; permits: string[] }[]; caller: object };
    lacking.hops[0]!.result = 'deny';
    writeFileSync(join(world.folder, 'lacking.jsonl'), `${JSON.stringify(lacking)}\n`);
    const { replayed } = await replay('lacking.jsonl');
    assert.equal(replayed.inexact, 1);
  });

  test('what was only observed is compared with what policies said, not with the answer', async () => {
    const observing = await World.start(worlds['observe-only']);
    try {
      for (const ask of asks(observing)) await observing.send(ask);
      const observed = observing.audit().map((line) => JSON.stringify(line));
      const would = new Set(observed.map((line) => JSON.parse(line).policy?.observed));
      for (const reason of ['policy_error', 'policy_forbidden', 'policy_no_permit', 'approval_required']) {
        assert.ok(would.has(reason), reason);
      }
      const refusedElsewhere = observed
        .filter((line) => JSON.parse(line).policy?.observed)
        .map((line) => {
          const read = JSON.parse(line);
          return JSON.stringify({
            ...read,
            result: 'deny',
            reason: 'task_proof_replayed',
            policy: { ...read.policy, observed: null },
          });
        });
      writeFileSync(join(observing.folder, 'more.jsonl'), [...observed, ...refusedElsewhere].join('\n'));
      const { code, stdout } = await policyCli(
        ...['replay', join(observing.folder, 'more.jsonl'), '--config', join(observing.folder, 'config.yaml')],
        '--json',
      );
      const { changes, judged } = JSON.parse(stdout) as Replayed;
      assert.deepEqual(changes, []);
      assert.equal(judged, [...observed, ...refusedElsewhere].filter(reachedPolicy).length);
      assert.equal(code, 0);
    } finally {
      await observing.stop();
    }
  });

  test('a check for which Cedar could not be asked is no decision of policies', async () => {
    const judged = JSON.parse(lines.find(reachedPolicy)!);
    const hops = judged.hops.map((hop: object) => ({ ...hop, result: 'error', permits: [], forbids: [] }));
    writeFileSync(
      join(world.folder, 'outage.jsonl'),
      JSON.stringify({ ...judged, result: 'deny', reason: 'internal', hops }),
    );
    const { replayed } = await replay('outage.jsonl');
    assert.deepEqual([replayed.judged, replayed.left['before policy'], replayed.changes], [0, 1, []]);
  });

  for (const [what, text] of [
    ['is empty', ''],
    ['is no audit', 'policies: {}\n'],
    ['tells of no check', '{"event":"start"}\n'],
  ] as const) {
    test(`a file that ${what} fails: nothing was judged, so nothing is known to stay`, async () => {
      writeFileSync(join(world.folder, 'none.jsonl'), text);
      const { code, stdout, stderr } = await policyCli(
        ...['replay', join(world.folder, 'none.jsonl'), '--config', join(world.folder, 'config.yaml')],
      );
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /none\.jsonl: no line of it tells of a check/);
    });
  }

  test('the first line that cannot be read is named, with why', async () => {
    const older = JSON.stringify({ ...JSON.parse(lines.find(reachedPolicy)!), facts: {} });
    writeFileSync(join(world.folder, 'older.jsonl'), [...lines, older, '{"time":"20'].join('\n'));
    const { code, stdout } = await policyCli(
      ...['replay', join(world.folder, 'older.jsonl'), '--config', join(world.folder, 'config.yaml')],
    );
    assert.equal(code, 2);
    assert.match(stdout, /^None of those evaluated would change\.$/m);
    assert.match(
      stdout,
      new RegExp(`\n {2}2 more cannot be read; the first is line ${lines.length + 1}: facts\\.client: `),
    );
  });

  test('what a caller wrote moves no cursor, keeps the columns, and stays JSON', async () => {
    const allowed = JSON.parse(lines.find((line) => reachedPolicy(line) && JSON.parse(line).result === 'allow')!);
    const unseen = `/\u200b\u202e\u001b[2J${String.fromCodePoint(0xe0041)}`;
    const strange = { ...allowed, action: 'GET', request: { ...allowed.request, method: 'GET', path: unseen } };
    const other = { ...strange, request: { ...strange.request, path: '/other' } };
    writeFileSync(join(world.folder, 'unseen.jsonl'), [strange, other].map((line) => JSON.stringify(line)).join('\n'));
    const asked = ['replay', join(world.folder, 'unseen.jsonl'), '--config', join(world.folder, 'config.yaml')];
    const { stdout } = await policyCli(...asked, '--json');
    const what = (JSON.parse(stdout) as { changes: { what: string }[] }).changes.map((change) => change.what);
    assert.deepEqual(what, [`payments.internal${unseen}`, 'payments.internal/other']);
    assert.match(stdout, /^[\n -~]*$/);
    const rows = (await policyCli(...asked)).stdout.split('\n').filter((line) => /^ {2}1 +spiffe:/.test(line));
    assert.match(rows[0]!, / GET payments\.internal\/\\u\{200b\}\\u\{202e\}\\u\{1b\}\[2J\\u\{e0041\} /);
    const [first, second] = rows.map((line) => line.indexOf('deny ('));
    assert.equal(first, second);
  });

  test('an audit that is not there fails', async () => {
    const { code, stderr } = await policyCli('replay', '/nowhere.jsonl', '--config', join(world.folder, 'config.yaml'));
    assert.equal(code, 2);
    assert.match(stderr, /cannot be read \(ENOENT\)/);
  });
});

suite('policy explain by an audit line', () => {
  const explain = (decision: string, audit = 'audit.jsonl') =>
    policyCli(
      ...['explain', '--config', join(world.folder, 'config.yaml')],
      ...['--audit', join(world.folder, audit), '--decision', decision],
    );

  test('tells why, hop by hop', async () => {
    const line = lines.find((text) => (JSON.parse(text).hops ?? []).length === 3)!;
    const { decision, hops } = JSON.parse(line) as { decision: string; hops: { id: string; role: string }[] };
    const { code, stdout } = await explain(decision);
    assert.equal(code, 0);
    assert.match(stdout, /^audit: \w+ \(\w+\), by these policies\n/);
    const told = [...stdout.matchAll(/^(originator|intermediary|caller) (\S+) /gm)].map(([, role, id]) => ({
      id,
      role,
    }));
    assert.deepEqual(
      told,
      hops.map(({ id, role }) => ({ id, role })),
    );
  });

  test('a decision that never reached policy has its own reason', async () => {
    const line = lines.find((text) => JSON.parse(text).reason?.startsWith('identity_'))!;
    const { decision, reason, detail } = JSON.parse(line) as { decision: string; reason: Reason; detail: string };
    const { code, stdout } = await explain(decision);
    assert.equal(code, 0);
    const [first, second, third, fourth] = stdout.split('\n');
    assert.equal(first, `decision ${decision}: ${reason}, before policies were evaluated`);
    assert.equal(second, `  detail: ${detail}`);
    assert.ok(third?.startsWith(`  meaning: ${reasons[reason].title}`), third);
    assert.match(fourth ?? '', /^ {2}what to do: ./);
    assert.match((await explain('01994c00-0000-7000-8000-000000000000')).stderr, /no line tells of the decision/);
  });

  test('what was answered is told beside what policies said, where they are not the same', async () => {
    const allowed = JSON.parse(lines.find((text) => reachedPolicy(text) && JSON.parse(text).result === 'allow')!);
    const line = JSON.stringify({ ...allowed, result: 'deny', reason: 'task_proof_replayed' });
    writeFileSync(join(world.folder, 'answered.jsonl'), line);
    const { stdout } = await explain(allowed.decision, 'answered.jsonl');
    assert.match(
      stdout,
      /^audit: deny \(task_proof_replayed\); policies decided allow \(permitted\), by these policies\n/,
    );
  });

  test('a result that these policies did not give then is called out', async () => {
    const allowed = JSON.parse(lines.find((text) => reachedPolicy(text) && JSON.parse(text).result === 'allow')!);
    const hops = allowed.hops.map((hop: object) => ({ ...hop, result: 'deny' }));
    const line = JSON.stringify({ ...allowed, result: 'deny', reason: 'policy_no_permit', hops });
    writeFileSync(join(world.folder, 'otherwise.jsonl'), line);
    const { stdout } = await explain(allowed.decision, 'otherwise.jsonl');
    assert.match(stdout, /\nallow\nThese policies decided otherwise then: /);
    assert.doesNotMatch((await explain(allowed.decision)).stdout, /otherwise/);
  });

  test('as data, with the audit', async () => {
    const line = lines.find((text) => reachedPolicy(text) && JSON.parse(text).result === 'deny')!;
    const { decision, reason } = JSON.parse(line) as { decision: string; reason: string };
    const { stdout } = await policyCli(
      ...['explain', '--config', join(world.folder, 'config.yaml'), '--json'],
      ...['--audit', join(world.folder, 'audit.jsonl'), '--decision', decision],
    );
    const policies = { result: 'deny', reason };
    assert.deepEqual(JSON.parse(stdout).audit, { ...policies, policies, sameRevision: true });
  });

  test('a line that cannot be read is not taken for one that is not there', async () => {
    const line = lines.find(reachedPolicy)!;
    const { decision } = JSON.parse(line) as { decision: string };
    const cut = line.slice(0, -20);
    const older = JSON.stringify({ ...JSON.parse(line), facts: {} });
    writeFileSync(join(world.folder, 'cut.jsonl'), cut);
    writeFileSync(join(world.folder, 'older-line.jsonl'), older);
    assert.match((await explain(decision, 'cut.jsonl')).stderr, /cut\.jsonl:1: cannot be read: no JSON object\n/);
    assert.match((await explain(decision, 'older-line.jsonl')).stderr, /: unreadable \(facts\.client: /);
  });
});
