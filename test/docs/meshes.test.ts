import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { type FixtureName, type Json, readFixture } from '../support/meshes/fixtures.ts';
import { type MeshName, meshes } from '../support/meshes/place.ts';
import { finish } from '../support/run.ts';
import { blocks, page, repository } from './markdown.ts';

/** The doctor on what a mesh makes of its page: docs/istio.md and docs/envoy-gateway.md show it; UPDATE=1 writes them. */

const dir = temporaryFolder();
after(() => removeFolder(dir));

const FIELD = 'include_peer_certificate';

for (const mesh of Object.keys(meshes) as MeshName[])
  describe(`the doctor on ${mesh}`, () => {
    const file = `docs/${mesh}.md`;
    const block = (info: string): string => blocks(page(file).text).find((each) => each.info === info)!.text;
    /** The command of the page, on a dump in place of the admin port. */
    const doctor = (name: FixtureName, change: (dump: Json) => void = () => {}, ...more: string[]) => {
      const dump = structuredClone(readFixture(name)) as unknown as Json;
      change(dump);
      writeFileSync(join(dir, 'dump.json'), JSON.stringify(dump));
      writeFileSync(join(dir, 'config.yaml'), block('yaml sidecar'));
      const [program, ...words] = block('sh doctor').trim().split(' ');
      assert.equal(program, 'cedar-ext-authz');
      const args = words.map((word) => (word.startsWith('http:') ? 'dump.json' : word));
      return finish(process.execPath, [join(repository, 'src', 'main.ts'), ...args, ...more], { cwd: dir });
    };

    test('it finds nothing in the good one, and the certificate of callers where it is not sent', async () => {
      const good = await doctor(mesh);
      assert.deepEqual([good.code, good.stderr], [0, ''], good.stdout);
      assert.match(good.stdout, /: good: \d+ listeners?, \d+ filter chains?, \d+ routes?/);
      const without = await doctor(mesh, (dump) => assert.ok(removeFirst(dump, FIELD), FIELD));
      assert.equal(without.code, 1);
      assert.match(without.stdout, /refuses: peer-certificate: .*\n {2}write: include_peer_certificate: true\n/);
      assert.equal(without.stdout.match(/ {2}write: /g)?.length, 1, without.stdout);
    });

    test('the page shows what it finds without the patch, each kind once', async () => {
      const bare = await doctor(`${mesh}-bare`, undefined, '--json');
      assert.deepEqual([bare.code, bare.stderr], [1, '']);
      const { findings } = JSON.parse(bare.stdout) as { findings: Record<'effect' | 'code' | 'message', string>[] };
      const lines = new Set(findings.map(({ effect, code, message }) => `${effect}: ${code}: ${message}\n`));
      const shown = [...lines].join('');
      const written = readFileSync(join(repository, file), 'utf8').replace(
        /(?<=```text bare\n)[\s\S]*?(?=```)/,
        () => shown,
      );
      if (process.env.UPDATE === '1') writeFileSync(join(repository, file), written);
      assert.equal(block('text bare'), shown);
    });
  });

/** Takes away the first field of this name that there is. */
function removeFirst(value: unknown, field: string): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (Object.hasOwn(value, field)) return delete (value as Json)[field];
  return Object.values(value).some((inner) => removeFirst(inner, field));
}
