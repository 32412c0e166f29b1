import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, type TestContext, test } from 'node:test';
import { estate, question, settings } from '../../../test/support/policy.ts';
import { formatProblem } from '../../source/problem.ts';
import { Engine } from '../decide/engine.ts';
import type { Snapshot } from '../decide/snapshot.ts';
import { type HolderOptions, SnapshotHolder } from './holder.ts';

const AGENT = 'spiffe://prod.example/ns/agents/sa/billing-agent';
/** Permits exactly one path, so that a decision tells which version is served. */
const version = (n: number): string =>
  `@id("v${n}") permit (principal, action, resource == Mesh::Endpoint::"docs.internal/${n}");`;

interface Place {
  readonly root: string;
  readonly folder: string;
  readonly inventory: string;
}

async function place(t: TestContext): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'holder-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  const folder = join(root, 'policies');
  await Promise.all([mkdir(folder), mkdir(join(root, 'guardrails'))]);
  const inventory = join(root, 'inventory.yaml');
  await writeFile(inventory, estate);
  return { root, folder, inventory };
}

/** Watchers alone must do: the regular look is too far away to help. */
async function opened(t: TestContext, at: Place, changes: Partial<HolderOptions> = {}): Promise<SnapshotHolder> {
  const holder = await SnapshotHolder.open({
    paths: { folder: at.folder, inventory: at.inventory, guardrails: join(at.root, 'guardrails') },
    settings,
    engine: new Engine(),
    clock: () => Date.UTC(2026, 10, 25),
    pollMs: 3_600_000,
    ...changes,
  });
  const alive = setInterval(() => {}, 1000);
  t.after(async () => {
    clearInterval(alive);
    await holder.close();
  });
  return holder;
}

/** A holder whose guardrail, which forbids everything, is disabled until `pass` lets its time be over. */
async function whileDisabled(t: TestContext, at: Place) {
  await writeFile(join(at.root, 'guardrails', 'g.cedar'), '@id("g") forbid (principal, action, resource);');
  let now = Date.UTC(2026, 10, 25);
  const disabledGuardrails = [{ id: 'g', because: 'a migration', untilMs: now + 1000 }];
  const holder = await opened(t, at, { clock: () => now, settings: { ...settings, disabledGuardrails } });
  const pass = (): Promise<void> => {
    now += 1000;
    return holder.refresh();
  };
  return { holder, pass };
}

/** Which of the versions the snapshot permits. */
function served(snapshot: Snapshot | null): number[] {
  if (snapshot === null) return [];
  return [1, 2, 3, 4, 5, 6].filter((n) => {
    const asked = question(
      (snapshot as never as { inventory: Parameters<typeof question>[0] }).inventory,
      AGENT,
      `GET docs.internal/${n}`,
    );
    return snapshot.decide(asked).result === 'allow';
  });
}

suite('the holder of snapshots', () => {
  test('serves what the files hold at the start', async (t) => {
    const at = await place(t);
    await writeFile(join(at.folder, 'a.cedar'), version(1));
    const holder = await opened(t, at);
    assert.deepEqual(served(holder.current()), [1]);
    assert.equal(holder.status().revision, holder.current()?.revision);
    assert.deepEqual(holder.status().problems, []);
  });

  test('has no snapshot where there never was a good one, and takes the first', async (t) => {
    const at = await place(t);
    const holder = await opened(t, at);
    assert.equal(holder.current(), null);
    assert.match(holder.status().problems.map(formatProblem).join(), /no policy \(\*\.cedar\) is here/);
    const loaded = once(holder.events, 'loaded');
    await writeFile(join(at.folder, 'a.cedar'), version(1));
    await loaded;
    assert.deepEqual(served(holder.current()), [1]);
  });

  test('a broken edit keeps the last good snapshot and is reported; mending it clears the report', async (t) => {
    const at = await place(t);
    const file = join(at.folder, 'a.cedar');
    await writeFile(file, version(1));
    const holder = await opened(t, at);
    const revision = holder.status().revision;
    const refused = once(holder.events, 'refused');
    await writeFile(file, version(2).replace('resource ==', 'resource ='));
    await refused;
    assert.deepEqual(served(holder.current()), [1]);
    assert.equal(holder.status().revision, revision);
    assert.match(holder.status().problems.map(formatProblem).join(), /^a\.cedar:1:\d+: /);
    const loaded = once(holder.events, 'loaded');
    await writeFile(file, version(2));
    await loaded;
    assert.deepEqual(served(holder.current()), [2]);
    assert.deepEqual(holder.status().problems, []);
  });

  test('B44: every swap of a ConfigMap’s symlink takes effect', async (t) => {
    const at = await place(t);
    const publish = async (n: number): Promise<void> => {
      const data = join(at.folder, `..${n}`);
      await mkdir(data);
      await writeFile(join(data, 'p.cedar'), version(n));
      await symlink(`..${n}`, join(at.folder, '..data_tmp'));
      await rename(join(at.folder, '..data_tmp'), join(at.folder, '..data'));
      if (n > 1) await rm(join(at.folder, `..${n - 1}`), { recursive: true });
    };
    await publish(1);
    await symlink('..data/p.cedar', join(at.folder, 'p.cedar'));
    const holder = await opened(t, at);
    assert.deepEqual(served(holder.current()), [1]);
    for (const n of [2, 3, 4]) {
      const loaded = once(holder.events, 'loaded');
      await publish(n);
      await loaded;
      assert.deepEqual(served(holder.current()), [n]);
    }
  });

  test('editors that rename, files that come and go, and a new folder are seen', async (t) => {
    const at = await place(t);
    await writeFile(join(at.folder, 'a.cedar'), version(1));
    const holder = await opened(t, at);
    const after = async (change: () => Promise<unknown>, expected: number[]): Promise<void> => {
      const loaded = once(holder.events, 'loaded');
      await change();
      await loaded;
      assert.deepEqual(served(holder.current()), expected);
    };
    const draft = join(at.folder, '.a.cedar.swp');
    await after(() => writeFile(draft, version(2)).then(() => rename(draft, join(at.folder, 'a.cedar'))), [2]);
    await after(() => writeFile(join(at.folder, 'b.cedar'), version(3)), [2, 3]);
    await after(() => rm(join(at.folder, 'b.cedar')), [2]);
    await after(async () => {
      await mkdir(join(at.folder, 'more'));
      await writeFile(join(at.folder, 'more', 'c.cedar'), version(4));
    }, [2, 4]);
    await after(() => writeFile(join(at.folder, 'more', 'c.cedar'), version(5)), [2, 5]);
    await after(() => writeFile(at.inventory, estate.replace('kind: agent', 'kind: job')), [2, 5]);
  });

  test('a folder that is replaced as a whole is watched on', async (t) => {
    const at = await place(t);
    await writeFile(join(at.folder, 'a.cedar'), version(1));
    const holder = await opened(t, at, { pollMs: 20 });
    for (const n of [2, 3]) {
      const loaded = once(holder.events, 'loaded');
      const next = join(at.root, `next${n}`);
      await mkdir(next);
      await writeFile(join(next, 'a.cedar'), version(n));
      await rename(at.folder, join(at.root, `old${n}`));
      await rename(next, at.folder);
      await loaded;
      while (served(holder.current())[0] !== n) await once(holder.events, 'loaded');
    }
  });

  test('nothing torn is served while a writer is in the middle of its files', async (t) => {
    const at = await place(t);
    const file = join(at.folder, 'a.cedar');
    // No step ends where a policy does: a prefix that parses is a version like any other.
    const both = `${version(2)}\n${version(3)}`;
    await writeFile(file, version(1));
    const holder = await opened(t, at);
    const seen: number[][] = [];
    const done = new Promise<void>((resolve) => {
      holder.events.on('loaded', (snapshot) => {
        seen.push(served(snapshot));
        if (served(snapshot).length === 2) resolve();
      });
    });
    for (let end = 0; end <= both.length; end += 16) await writeFile(file, both.slice(0, end));
    await writeFile(file, both);
    await done;
    assert.deepEqual(seen, [[2, 3]]);
  });

  test('a snapshot that is held across swaps still answers by its own policies', async (t) => {
    const at = await place(t);
    const file = join(at.folder, 'a.cedar');
    await writeFile(file, version(1));
    const holder = await opened(t, at);
    const held = [holder.current()];
    for (const n of [2, 3, 4]) {
      const loaded = once(holder.events, 'loaded');
      await writeFile(file, version(n));
      await loaded;
      held.push(holder.current());
      assert.deepEqual(
        held.map(served),
        held.map((_, i) => [i + 1]),
      );
    }
  });

  test('a listener that throws ends neither the process nor the watching', async (t) => {
    const at = await place(t);
    const file = join(at.folder, 'a.cedar');
    await writeFile(file, version(1));
    const holder = await opened(t, at);
    holder.events.once('loaded', () => {
      throw new Error('a bug elsewhere');
    });
    await writeFile(file, version(2));
    await holder.refresh();
    assert.deepEqual(served(holder.current()), [2]);
    const loaded = once(holder.events, 'loaded');
    await writeFile(file, version(3));
    await loaded;
    assert.deepEqual(served(holder.current()), [3]);
  });

  test('a disabled guardrail holds again when its time has passed', async (t) => {
    const at = await place(t);
    await writeFile(join(at.folder, 'a.cedar'), version(1));
    const { holder, pass } = await whileDisabled(t, at);
    assert.deepEqual(served(holder.current()), [1]);
    const revision = holder.status().revision;
    await pass();
    assert.deepEqual(served(holder.current()), []);
    assert.notEqual(holder.status().revision, revision);
  });

  const broken: [what: string, write: (at: Place) => Promise<unknown>][] = [
    ['do not parse', (at) => writeFile(join(at.folder, 'a.cedar'), '@id("v2") permit (')],
    ['cannot be read', (at) => rm(at.inventory)],
  ];
  for (const [what, write] of broken) {
    test(`a disabled guardrail holds again when its time has passed, while the files ${what}`, async (t) => {
      const at = await place(t);
      await writeFile(join(at.folder, 'a.cedar'), version(1));
      const { holder, pass } = await whileDisabled(t, at);
      await write(at);
      await holder.refresh();
      assert.deepEqual(served(holder.current()), [1]);
      const { problems } = holder.status();
      assert.equal(problems.length, 1);
      await pass();
      assert.deepEqual(served(holder.current()), []);
      assert.deepEqual(holder.status().problems, problems);
    });
  }

  test('a disabled guardrail holds again when its time has passed, though a test of the folder rests on it', async (t) => {
    const at = await place(t);
    await writeFile(join(at.folder, 'a.cedar'), version(1));
    await mkdir(join(at.folder, 'tests'));
    const allowed = `cases: [{ name: x, caller: "${AGENT}", request: GET docs.internal/1, expect: allow }]`;
    await writeFile(join(at.folder, 'tests', 'a.yaml'), allowed);
    const { holder, pass } = await whileDisabled(t, at);
    assert.deepEqual(served(holder.current()), [1]);
    await pass();
    assert.deepEqual(served(holder.current()), []);
    assert.match(holder.status().problems.map(formatProblem).join('\n'), /x: expected allow, got deny .* by g/);
  });

  test('nothing torn is served at the start either', async (t) => {
    const at = await place(t);
    const file = join(at.folder, 'a.cedar');
    await writeFile(file, version(2));
    let looks = 0;
    const clock = (): number => {
      if (++looks === 2) writeFileSync(file, `${version(2)}\n${version(3)}`);
      return Date.UTC(2026, 10, 25);
    };
    const holder = await opened(t, at, { clock });
    assert.deepEqual(served(holder.current()), [2, 3]);
  });

  test('what was written while it was judged is judged again, and the middle is never served', async (t) => {
    const at = await place(t);
    const file = join(at.folder, 'a.cedar');
    await writeFile(file, version(1));
    let [looks, whole] = [0, ''];
    const clock = (): number => {
      // Two looks find what is judged; the third comes before it would be installed.
      if (++looks === 3 && whole !== '') writeFileSync(file, whole);
      return Date.UTC(2026, 10, 25);
    };
    const holder = await opened(t, at, { clock });
    const seen: number[][] = [];
    holder.events.on('loaded', (snapshot) => seen.push(served(snapshot)));
    [looks, whole] = [0, `${version(2)}\n${version(3)}`];
    await writeFile(file, version(2));
    await holder.refresh();
    assert.deepEqual(seen, [[2, 3]]);
  });

  test('what was written back to what it was is not taken for untouched', async (t) => {
    const at = await place(t);
    const file = join(at.folder, 'a.cedar');
    await writeFile(file, version(1));
    let looks = 0;
    const clock = (): number => {
      looks++;
      if (looks === 2) {
        writeFileSync(file, version(2));
        writeFileSync(file, version(1));
      }
      return Date.UTC(2026, 10, 25);
    };
    const holder = await opened(t, at, { clock });
    assert.deepEqual(served(holder.current()), [1]);
    // Two that disagree, one more that agrees with the second, and the look before it is served.
    assert.ok(looks >= 4, String(looks));
  });

  test('files that keep changing are reported, and served when they rest', async (t) => {
    const at = await place(t);
    const file = join(at.folder, 'a.cedar');
    await writeFile(file, version(1));
    const holder = await opened(t, at);
    const refused = once(holder.events, 'refused');
    let n = 0;
    const writer = setInterval(() => writeFileSync(file, `${version(2)} // ${n++}`), 2);
    t.after(() => clearInterval(writer));
    await refused;
    assert.match(holder.status().problems.map(formatProblem).join('\n'), /the files keep changing/);
    assert.deepEqual(served(holder.current()), [1]);
    clearInterval(writer);
    await holder.refresh();
    assert.deepEqual(served(holder.current()), [2]);
    assert.deepEqual(holder.status().problems, []);
  });

  const refused: [what: string, write: (at: Place) => Promise<unknown>, says: RegExp][] = [
    ['an empty policy file', (at) => writeFile(join(at.folder, 'b.cedar'), ''), /b\.cedar:1:1: the file is empty/],
    [
      'a policy file that was cut after its first comment',
      (at) => writeFile(join(at.folder, 'b.cedar'), '// Nobody may.\r\n\n  // Never.'),
      /b\.cedar:1:1: the file is empty or all comment/,
    ],
    [
      'torn UTF-8',
      (at) => writeFile(join(at.folder, 'b.cedar'), Buffer.from([0x40, 0xc3])),
      /b\.cedar:1:1: cannot be read/,
    ],
    [
      'an oversized file',
      (at) => writeFile(join(at.folder, 'b.cedar'), Buffer.alloc(5 * 1024 * 1024, 32)),
      /larger than/,
    ],
    [
      'a dangling link',
      (at) => symlink('nowhere', join(at.folder, 'b.cedar')),
      /b\.cedar:1:1: cannot be read \(ENOENT\)/,
    ],
    ['a broken inventory', (at) => writeFile(at.inventory, 'teams: ['), /inventory\.yaml:/],
    ['a missing inventory', (at) => rm(at.inventory), /inventory\.yaml:1:1: cannot be read \(ENOENT\)/],
    ['a folder that is gone', (at) => rm(at.folder, { recursive: true }), /the folder cannot be read \(ENOENT\)/],
    [
      'a failing test',
      async (at) => {
        await mkdir(join(at.folder, 'tests'));
        await writeFile(
          join(at.folder, 'tests', 'a.yaml'),
          `cases: [{ name: x, caller: "${AGENT}", request: GET docs.internal/1, expect: deny }]`,
        );
      },
      /tests\/a\.yaml:1:9: x: expected deny, got allow by v1/,
    ],
  ];
  for (const [what, write, says] of refused) {
    test(`${what} is refused, and the last good snapshot stays`, async (t) => {
      const at = await place(t);
      await writeFile(join(at.folder, 'a.cedar'), version(1));
      const holder = await opened(t, at);
      await write(at);
      await holder.refresh();
      assert.match(holder.status().problems.map(formatProblem).join('\n'), says);
      assert.deepEqual(served(holder.current()), [1]);
    });
  }
});
