import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { suite, test } from 'node:test';
import type { AuthorizationCall } from './call.ts';
import { Engine, type EngineAnswer, type Program } from './engine.ts';

const permitAll = 'permit (principal, action, resource);';

const plain: AuthorizationCall = {
  principal: { type: 'U', id: 'a' },
  action: { type: 'Action', id: 'x' },
  resource: { type: 'U', id: 'b' },
  context: {},
  entities: [],
};
const stranger: AuthorizationCall = { ...plain, principal: { type: 'U', id: 'stranger' } };

function loaded(engine: Engine, policies: Record<string, string>): Program {
  const program = { schema: null, policies };
  assert.equal(engine.prepare(program), null);
  return program;
}

/** Allows `plain` and denies `stranger`: what must hold after whatever was done to the engine. */
const onlyA = { a: 'permit (principal == U::"a", action, resource);' };

function assertSound(engine: Engine, program: Program): void {
  assert.deepEqual(engine.ask(program, plain), { kind: 'answered', decision: 'allow', reasons: ['a'], errors: [] });
  assert.deepEqual(engine.ask(program, stranger), { kind: 'answered', decision: 'deny', reasons: [], errors: [] });
}

/** A condition that only overflows when it is evaluated: lint refuses it long before, so it stands for what lint missed. */
const trap = {
  t: `permit (principal, action, resource) when { ${Array(420).fill('context.p == "x"').join(' || ')} };`,
};

suite('engine', () => {
  test('reasons and errors are sorted', () => {
    const engine = new Engine();
    const fails = 'permit (principal, action, resource) when { context.no };';
    const program = loaded(engine, { b: permitAll, a: permitAll, d: fails, c: fails });
    const answer = engine.ask(program, plain);
    assert.ok(answer.kind === 'answered');
    assert.deepEqual(answer.reasons, ['a', 'b']);
    assert.deepEqual(
      answer.errors.map((error) => error.policy),
      ['c', 'd'],
    );
  });

  test('a program answers by its own policies', () => {
    const engine = new Engine();
    const first = loaded(engine, onlyA);
    const second = loaded(engine, { deny: 'forbid (principal, action, resource);' });
    assertSound(engine, first);
    assert.equal((engine.ask(second, plain) as { decision?: string }).decision, 'deny');
    assertSound(engine, first);
  });

  test('a program that was not prepared is parsed when it is asked', () => {
    assertSound(new Engine(), { schema: null, policies: onlyA });
  });

  test('a program that does not parse is named so, and spoils no other', () => {
    const engine = new Engine();
    const program = loaded(engine, onlyA);
    for (const wrong of [
      { schema: null, policies: { x: 'permit (' } },
      { schema: 'entity (', policies: {} },
    ]) {
      assert.equal(typeof engine.prepare(wrong), 'string');
      assert.equal(engine.ask(wrong, plain).kind, 'unavailable');
    }
    assertSound(engine, program);
  });

  test('more programs than there are names still answer, each by its own policies', () => {
    const engine = new Engine();
    const programs = Array.from({ length: 600 }, (_, i) =>
      loaded(engine, { [`only${i}`]: `permit (principal == U::"${i}", action, resource);` }),
    );
    for (const [i, program] of [...programs, ...programs].entries()) {
      const id = String(i % programs.length);
      const answer = engine.ask(program, { ...plain, principal: { type: 'U', id } });
      assert.deepEqual(answer, { kind: 'answered', decision: 'allow', reasons: [`only${id}`], errors: [] });
    }
  });

  const nested = (depth: number): unknown => (depth === 0 ? 'x' : { a: nested(depth - 1) });
  const bad: [what: string, value: unknown, says: RegExp][] = [
    ['a fraction', 1.5, /not an integer that is held exactly/],
    ['null', null, /is null/],
    ['an integer beyond 64 bits', 1e19, /not an integer that is held exactly/],
    ['an integer beyond 2^53', 9_007_199_254_740_992, /not an integer that is held exactly/],
    ['NaN', Number.NaN, /not an integer/],
    ['a lone surrogate', '\ud800', /lone surrogate/],
    ['a lone surrogate in a name', { 'a\udc00': 1 }, /lone surrogate/],
    ['130 levels', nested(130), /nested deeper than/],
    ['a BigInt', 10n, /of type bigint/],
    ['a Map', new Map([['a', 1]]), /not a plain record/],
    ['undefined', undefined, /of type undefined/],
    ['a hole', [undefined], /of type undefined/],
    ['a function', () => 1, /of type function/],
    ['a symbol', Symbol('x'), /of type symbol/],
    ['a date', new Date(0), /not a plain record/],
    ['a long text', 'x'.repeat(70_000), /longer than/],
    ['many values', Array.from({ length: 30_000 }, () => 1), /more than 20000 values/],
  ];
  for (const [what, value, says] of bad) {
    test(`B39: ${what} is refused by name, and the next plain decision is right`, () => {
      const engine = new Engine();
      const program = loaded(engine, onlyA);
      const answer = engine.ask(program, { ...plain, context: { x: value } } as unknown as AuthorizationCall);
      assert.equal(answer.kind, 'invalid');
      assert.match((answer as { message: string }).message, says);
      assertSound(engine, program);
      assert.equal(engine.rebuilds, 0);
    });
  }

  test('B39: a lone surrogate in an id, a tag or a type is refused', () => {
    const engine = new Engine();
    const program = loaded(engine, onlyA);
    const uid = { type: 'U', id: '\udfff' };
    for (const call of [
      { ...plain, principal: uid },
      { ...plain, entities: [{ uid, attrs: {}, parents: [] }] },
      { ...plain, entities: [{ uid: plain.principal, attrs: {}, parents: [uid] }] },
      { ...plain, entities: [{ uid: plain.principal, attrs: {}, parents: [], tags: { '\ud800': 'x' } }] },
    ]) {
      assert.equal(engine.ask(program, call).kind, 'invalid');
    }
    assertSound(engine, program);
  });

  test('what Cedar itself refuses is invalid too, however often', () => {
    const engine = new Engine();
    const program = loaded(engine, onlyA);
    for (let i = 0; i < 3000; i++) {
      assert.equal(engine.ask(program, { ...plain, principal: { type: 'not a type', id: 'a' } }).kind, 'invalid');
    }
    assertSound(engine, program);
    assert.equal(engine.rebuilds, 0);
  });

  test('a trapped instance refuses until the next one is ready, which then knows every slot', async () => {
    const events = new EventEmitter();
    const engine = new Engine({ onReplaced: (milliseconds) => events.emit('replaced', milliseconds) });
    const program = loaded(engine, onlyA);
    const hostile = loaded(engine, trap);
    const replaced = once(events, 'replaced');
    assert.equal(engine.ask(hostile, { ...plain, context: { p: 'y' } }).kind, 'unavailable');
    assert.equal(engine.ready, false);
    assert.equal(engine.ask(program, plain).kind, 'unavailable');
    const [milliseconds] = await replaced;
    assertSound(engine, program);
    assert.equal(engine.rebuilds, 1);
    assert.ok(milliseconds >= 0);
  });

  test('a call that always traps cannot stop the others for good', async () => {
    const events = new EventEmitter();
    const engine = new Engine({ onReplaced: () => events.emit('replaced') });
    const program = loaded(engine, onlyA);
    const hostile = loaded(engine, trap);
    for (let i = 0; i < 4; i++) {
      const replaced = once(events, 'replaced');
      assert.equal(engine.ask(hostile, { ...plain, context: { p: 'y' } }).kind, 'unavailable');
      await replaced;
      assertSound(engine, program);
    }
  });

  test('a program can be loaded while the instance is lost', () => {
    const engine = new Engine();
    const hostile = loaded(engine, trap);
    engine.ask(hostile, { ...plain, context: { p: 'y' } });
    assert.equal(engine.ready, false);
    assertSound(engine, loaded(engine, onlyA));
    engine.close();
  });

  test('thrown calls are counted, and the instance is replaced after the budget', async () => {
    const events = new EventEmitter();
    const engine = new Engine({ throwBudget: 3, onReplaced: () => events.emit('replaced') });
    const program = loaded(engine, onlyA);
    const replaced = once(events, 'replaced');
    // A getter gets past the guard's look and then hands Cedar something else: it stands for a throw that nobody foresaw.
    const shifty = (): AuthorizationCall => {
      let reads = 0;
      return {
        ...plain,
        principal: {
          type: 'U',
          get id() {
            return reads++ === 0 ? 'a' : ('\ud800' as string);
          },
        },
      };
    };
    const kinds: EngineAnswer['kind'][] = [];
    for (let i = 0; i < 4; i++) kinds.push(engine.ask(program, shifty()).kind);
    assert.deepEqual(kinds, Array(4).fill('unavailable'));
    assert.equal(engine.ready, false);
    await replaced;
    assertSound(engine, program);
  });

  test('S4: ids match exactly, whatever characters they hold', () => {
    const ids = [
      'a" || true',
      'a\\',
      'a\u0000b',
      '\u00e9',
      'e\u0301',
      '',
      '\n',
      'a"); permit(principal, action, resource); //',
    ];
    for (const id of ids) {
      const engine = new Engine();
      const literal = JSON.stringify(id).replace(/\\u([0-9a-f]{4})/g, '\\u{$1}');
      const program = loaded(engine, { exact: `permit (principal == U::${literal}, action, resource);` });
      for (const other of ids) {
        const answer = engine.ask(program, { ...plain, principal: { type: 'U', id: other } });
        assert.equal(
          (answer as { decision?: string }).decision,
          id === other ? 'allow' : 'deny',
          `${id} against ${other}`,
        );
      }
    }
  });

  test('S5: two hundred reloads leave the memory where it was', () => {
    const engine = new Engine();
    const policies = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [
        `p${i}`,
        `permit (principal == U::"${i}", action, resource) when { context.p${i} };`,
      ]),
    );
    const reload = (times: number): void => {
      for (let i = 0; i < times; i++) loaded(engine, { ...policies });
    };
    reload(50);
    const before = process.memoryUsage().external + process.memoryUsage().arrayBuffers;
    reload(200);
    const after = process.memoryUsage().external + process.memoryUsage().arrayBuffers;
    assert.ok(after - before < 4 * 1024 * 1024, `grew by ${after - before} bytes`);
  });
});
