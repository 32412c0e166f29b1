import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { access, inventoryOf } from '../../test/support/inventory.ts';
import { overlaps, type Pattern } from './overlaps.ts';
import { sampleTargets } from './samples.ts';

const pattern = (text: string): Pattern =>
  text
    .split('/')
    .slice(1)
    .map((part) => (part === '*' ? null : part.startsWith('~') ? { folded: part.slice(1) } : { literal: part }));
const written = (found: Pattern): string =>
  `/${found.map((part) => (part === null ? '*' : 'literal' in part ? part.literal : `~${part.folded}`)).join('/')}`;
const all = (...texts: string[]) => overlaps(texts.map(pattern))?.map(written).toSorted();

suite('overlapping patterns', () => {
  test('whatever two of them cover together is there, and whatever a third covers of that', () => {
    assert.deepEqual(all('/*/docs', '/hr'), ['/', '/*/docs', '/hr', '/hr/docs']);
    assert.deepEqual(all('/a', '/*/b', '/*/*/c'), [
      ...['/', '/*/*/c', '/*/b', '/*/b/c', '/a', '/a/*/c', '/a/b', '/a/b/c'],
    ]);
  });

  test('those that share no path stay apart', () => {
    assert.deepEqual(all('/a', '/b/c'), ['/', '/a', '/b/c']);
  });

  test('another spelling overlaps what folds to the same, and the literal is the narrower', () => {
    assert.deepEqual(all('/Jobs', '/~jobs/~run'), ['/', '/Jobs', '/Jobs/~run', '/~jobs/~run']);
  });

  test('more combinations than can be tried are no result', () => {
    const depths = Array.from({ length: 16 }, (_, depth) => `${'/*'.repeat(depth)}/w${depth}`);
    assert.equal(all(...depths), undefined);
  });

  test('for every path that an inventory with overlapping templates takes there is a sample like it', () => {
    const paths = ['/', '/spaces/{space}', '/spaces/{space}/docs/{doc}', '/spaces/hr', '/{p}/x/y'];
    const apis = paths.map((path, index) => ({ name: `a${index}`, path }));
    const inventory = inventoryOf({ resources: [{ host: 'h', apis }] });
    const samples = sampleTargets(inventory, new Map());
    if (typeof samples === 'string') assert.fail(samples);
    const kinds = new Set(samples.map(({ target }) => target.resource.apis.join()));
    const words = ['spaces', 'hr', 'docs', 'x', 'y', 'other'];
    let tried = 0;
    for (const a of words)
      for (const b of words)
        for (const c of words) {
          const target = inventory.target(access(`GET h/${a}/${b}/${c}/other`));
          if (!('resource' in target)) continue;
          tried++;
          assert.ok(kinds.has(target.resource.apis.join()), target.resource.id);
        }
    assert.ok(tried > 100);
  });
});
