import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { checks } from '../../src/doctor/checks.ts';
import { findingsIn, type GoodName, goods } from '../support/doctor/goods.ts';
import { further, mutate, mutations, nameOf } from '../support/doctor/mutations.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';

/** What the doctor finds; whether each mutant that opens something opens it is played on a real Envoy by `npm run soak -- doctor`. */

const dir = temporaryFolder();
after(() => removeFolder(dir));

for (const name of Object.keys(goods) as GoodName[])
  test(`the doctor finds nothing in ${name}, with the configuration of the sidecar and without`, async () => {
    const { envoy, product } = goods[name]();
    assert.deepEqual(await findingsIn(dir, envoy, null), []);
    assert.deepEqual(await findingsIn(dir, envoy, product), []);
  });

for (const mutation of [...mutations, ...further])
  test(`the doctor finds ${nameOf(mutation)}, and nothing else`, async () => {
    const { before, mutant } = mutate(mutation);
    const earlier = await findingsIn(dir, before.envoy, before.product);
    const found = await findingsIn(dir, mutant.envoy, mutant.product);
    const codes = (findings: typeof found) => findings.map(({ code, place }) => `${code} ${JSON.stringify(place)}`);
    const isNew = new Set(codes(found)).difference(new Set(codes(earlier)));
    assert.ok(
      [...isNew].some((text) => text.startsWith(`${mutation.code} `)),
      [...isNew].join('\n'),
    );
    // One change, one fault: but what leads nowhere any more is more than one.
    assert.ok(isNew.size <= 2, [...isNew].join('\n'));
    if (mutation.beside === undefined) assert.deepEqual(earlier, []);
  });

test('there are thirty mutations, and each code has one', () => {
  assert.equal(mutations.length, 30);
  const played = new Set([...mutations, ...further].map(({ code }) => code));
  assert.deepEqual(
    Object.keys(checks).filter((code) => !played.has(code as keyof typeof checks)),
    ['cluster-authority'],
  );
});

test('each mutation that opens something is played on a real Envoy, and no other', () => {
  for (const mutation of [...mutations, ...further])
    assert.equal(mutation.probe !== undefined, checks[mutation.code].effect === 'opens', nameOf(mutation));
});
