import { randomBytes } from 'node:crypto';
import { urlEncodedPem } from '../ca.ts';
import { liveMb } from '../live-memory.ts';
import { type Ask, encode, type World } from '../world.ts';
import { agentByDpop, agentByTxn, bearer, EXPORT, LEDGER, READER, svidToken } from '../world-asks.ts';
import type { CostEstate } from './process.ts';

/** What many distinct inputs of one kind left in the memory of the sidecar. */
export interface Growth {
  readonly name: string;
  readonly line: string;
  readonly mebibytes: number;
  readonly faults: readonly string[];
}

interface Kind {
  readonly name: string;
  readonly ask: (world: World, at: number) => Ask;
}

const IN_FLIGHT = 32;
/** What is remembered, and the heap, may fill over this share of the inputs. */
const SETTLED = 0.2;
/** What the heap and the allocator may keep beside what is remembered: far less than what 10⁵ small entries would take. */
const SLACK_MB = 24;

/** A block that is no certificate, of another content each time. */
const junk = (): string => {
  const text = `-----BEGIN CERTIFICATE-----\n${randomBytes(48).toString('base64')}\n-----END CERTIFICATE-----\n`;
  return encodeURIComponent(text);
};

const kinds = (world: World): readonly Kind[] => {
  const leaf = world.svid(LEDGER);
  const text = urlEncodedPem(leaf);
  return [
    {
      name: 'chains of one certificate, paths and headers',
      ask: (_, at) => ({
        svid: leaf,
        path: `/api/invoices/${at}/${at}?q${at}=${at}`,
        headers: {
          'x-forwarded-client-cert': `Cert="${text}";Chain="${text}${junk()}"`,
          [`x-${at}`]: `${at}`,
          'x-data-class': `c${at}`,
        },
      }),
    },
    { name: 'certificates and tokens', ask: (same, at) => agentByTxn({ claims: { n: at } })(same) },
    { name: 'proofs of possession', ask: (same) => agentByDpop()(same) },
    {
      name: 'tokens that are wrong for good',
      ask: (same, at) => ({
        svid: null,
        path: EXPORT,
        headers: bearer(svidToken(same, READER, { claims: { n: at }, signWith: same.keys.stranger })),
      }),
    },
  ];
};

/** Sends so many distinct inputs of each kind, and looks at the memory of the sidecar after a fifth and at the end. */
export async function* grow(estate: CostEstate, distinct: number): AsyncGenerator<Growth> {
  for (const { name, ask } of kinds(estate.world)) {
    let sent = 0;
    let unanswered = 0;
    const worker = async (upTo: number): Promise<void> => {
      while (sent < upTo) {
        const message = encode(ask(estate.world, sent++));
        await estate.client.check(message).catch(() => unanswered++);
      }
    };
    const workers = (upTo: number) => Promise.all(Array.from({ length: IN_FLIGHT }, () => worker(upTo)));
    await workers(distinct * SETTLED);
    const settled = await liveMb(estate.sidecar);
    await workers(distinct);
    const end = await liveMb(estate.sidecar);
    estate.forgetAudit();
    const stated = await byteLimit(estate);
    const mebibytes = Math.max(0, end - settled);
    const most = Math.ceil(stated / 2 ** 20) + SLACK_MB;
    yield {
      name,
      mebibytes,
      line: `${distinct} distinct, live memory ${settled} MiB after a fifth, ${end} MiB at the end`,
      faults: [
        ...(mebibytes > SLACK_MB && name !== 'proofs of possession'
          ? [`${name}: the memory grew by ${mebibytes} MiB`]
          : []),
        ...(mebibytes > most
          ? [`${name}: the memory grew by ${mebibytes} MiB, beyond the ${most} MiB that are stated`]
          : []),
        ...(unanswered > 0 ? [`${name}: ${unanswered} checks without an answer`] : []),
      ],
    };
  }
}

/** The bytes that everything remembered may take together. */
async function byteLimit({ sidecar }: CostEstate): Promise<number> {
  const limits = ['certificates', 'tokens', 'proofs'].map((cache) =>
    sidecar.metric(`authz_cache_limit_bytes{cache="${cache}"}`),
  );
  return (await Promise.all(limits)).reduce((sum, bytes) => sum + bytes, 0);
}
