import assert from 'node:assert/strict';
import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bundleDocument, TestCa } from '../support/ca.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { Sidecar } from '../support/sidecar.ts';
import { Spire } from '../support/spire.ts';
import { documentedYaml, runDocumented } from '../support/spire-docs.ts';
import { until } from '../support/until.ts';

const example = join(import.meta.dirname, '..', '..', 'cedar', 'example');

interface Partner {
  readonly state: string;
  readonly sequence: string | null;
  readonly jwtAuthorities: number;
  readonly fault: string | null;
}

describe('the bundle endpoint of a live SPIRE server', () => {
  const dir = temporaryFolder();
  let spire: Spire;

  /** A sidecar with the partner's entry as docs/spire.md has it, at the address of this test. */
  async function sidecarWith(federation: object): Promise<Sidecar> {
    const { federation: documented } = documentedYaml('endpoint')['partner.example'] as { federation: object };
    const url = `https://127.0.0.1:${spire.bundlePort}`;
    const partner = { maxStale: '9s', federation: { ...documented, url, ...federation } };
    const ours = { local: true, bundle: { file: './prod.example.json' } };
    const identity = { trustDomains: { 'prod.example': ours, 'partner.example': partner } };
    return await Sidecar.start({ dir, config: { identity } });
  }

  async function partnerOf(sidecar: Sidecar): Promise<Partner> {
    const page = (await (await sidecar.status('/status')).json()) as { trustDomains: Partner[] };
    return page.trustDomains[1]!;
  }

  before(async () => {
    spire = await Spire.start({ dir, trustDomain: 'partner.example' });
    cpSync(example, dir, { recursive: true });
    writeFileSync(join(dir, 'prod.example.json'), JSON.stringify(bundleDocument([TestCa.root('prod.example')])));
    await runDocumented('export', spire, dir);
  });
  after(async () => {
    await spire?.stop();
    removeFolder(dir);
  });

  test('https_spiffe: is proven by the bootstrap bundle, and read again as it changes', async () => {
    const sidecar = await sidecarWith({});
    try {
      const first = await partnerOf(sidecar);
      assert.equal(first.state, 'fresh', first.fault ?? '');
      await runDocumented('prepare', spire, dir, { KIND: 'jwt' });
      await until('the new key', async () => {
        const next = await partnerOf(sidecar);
        return next.jwtAuthorities === first.jwtAuthorities + 1 && next.sequence !== first.sequence ? true : null;
      });
    } finally {
      await sidecar.stop();
    }
  });

  test('https_spiffe: an endpoint of another id is not believed', async () => {
    const sidecar = await sidecarWith({ endpointId: 'spiffe://partner.example/another/server' });
    try {
      const { state, fault } = await partnerOf(sidecar);
      assert.equal(state, 'absent');
      assert.match(fault ?? '', /the endpoint is spiffe:\/\/partner.example\/spire\/server/);
    } finally {
      await sidecar.stop();
    }
  });
});
