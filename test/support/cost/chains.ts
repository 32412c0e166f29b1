import { type Issued, newKeys, TestCa, urlEncodedPem } from '../ca.ts';
import type { Ask, World } from '../world.ts';
import { workload } from '../world.ts';
import { INVOICE, LEDGER } from '../world-asks.ts';

/** Certificates that are slow to judge, with the request that shows them. */
export interface Shown {
  readonly name: string;
  readonly ask: (world: World) => Ask;
}

const show = (leaf: Issued, chain: readonly Issued[]): Ask => {
  const text = `Cert="${urlEncodedPem(leaf)}"${chain.length === 0 ? '' : `;Chain="${urlEncodedPem(leaf, ...chain)}"`}`;
  return { svid: leaf, path: INVOICE, headers: { 'x-forwarded-client-cert': text } };
};

/** Authorities that certified each other: every one is an issuer of every other. */
function mesh(keyType: Parameters<typeof newKeys>[0], count: number): Ask {
  const all = Array.from({ length: count }, (_, at) => TestCa.root(`ca${at}`, { keys: newKeys(keyType) }));
  const crossed = all.flatMap((by) =>
    all
      .filter((of) => of !== by)
      .map((of, at) =>
        by.intermediate(`ca${all.indexOf(of)} root`, { keys: of.certificate.keys, serial: Buffer.from([1, at]) }),
      ),
  );
  return show(
    all[0]!.svid(workload(LEDGER)),
    crossed.slice(0, 15).map(({ certificate }) => certificate),
  );
}

/** Authorities of the name and the key identifier of the true one, with keys of their own. */
function impostors(world: World, keyType: Parameters<typeof newKeys>[0]): Ask {
  const between = world.keys.ca.intermediate('between');
  const fakes = Array.from({ length: 14 }, () =>
    TestCa.root('other').intermediate('between', { keys: newKeys(keyType), subjectKeyId: null }),
  );
  return show(between.svid(workload(LEDGER), { authorityKeyId: null }), [
    ...fakes.map(({ certificate }) => certificate),
    between.certificate,
  ]);
}

const names = (count: number): readonly string[] => Array.from({ length: count }, (_, at) => `h${at}.a.example`);

export const chains: readonly Shown[] = [
  ...(['p256', 'p384', 'p521', 'rsa2048'] as const).map(
    (type): Shown => ({ name: `chain: authorities on ${type} that certified each other`, ask: () => mesh(type, 5) }),
  ),
  ...(['p256', 'p521'] as const).map(
    (type): Shown => ({ name: `chain: impostors on ${type}`, ask: (world) => impostors(world, type) }),
  ),
  { name: 'certificate: many names', ask: (world) => show(world.svid(LEDGER, { dns: names(63) }), []) },
  { name: 'certificate: a long id of many segments', ask: (world) => show(world.svid(LEDGER + '/a'.repeat(950)), []) },
  {
    name: 'certificate: from a stranger on p521',
    ask: () => {
      const stranger = TestCa.root('prod.example', { keys: newKeys('p521') });
      return show(stranger.svid(workload(LEDGER), { keys: newKeys('p521') }), []);
    },
  },
];
