import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CheckClient } from '../check-client.ts';
import { checkBytes } from '../check-request.ts';
import { type ConfigOverrides, SidecarEstate, workload } from '../estate.ts';
import { connectionOf, usualHeaders } from '../load.ts';
import { learnedFile } from './learned.ts';

const LEDGER = '/ns/payments/sa/ledger';
/** Apis that the ledger may use, and never did. */
export const HIDDEN = 40;

/** What the tests look at in an audit line. */
export interface Line {
  readonly result: string;
  readonly reason: string;
  readonly hops: readonly { readonly forbids: readonly string[] }[];
  readonly facts: { readonly risk: number | null; readonly signals: readonly string[] };
  readonly behaviour?: {
    readonly risk: number;
    readonly signals: readonly string[];
    readonly why: Readonly<Record<string, { readonly points: number; readonly now: number }>>;
    readonly would: readonly string[];
    readonly wouldQuarantine?: true;
  };
}

/**
 * A sidecar that goes on with ten days of the ledger, which reads invoices and the status, and an estate with apis that the ledger
 * may use and never did. `more` overrides the configuration.
 */
export async function scannedEstate(mode: 'observe' | 'act', more: ConfigOverrides = {}) {
  const file = await learnedFile(workload(LEDGER), ['payments.internal/invoices', 'payments.internal/status']);
  const estate = await SidecarEstate.start({
    prepare: (dir) => {
      const inventory = join(dir, 'inventory.yaml');
      const apis = Array.from({ length: HIDDEN }, (_, n) => `      - { name: hidden${n}, path: /api/hidden${n} }\n`);
      const text = readFileSync(inventory, 'utf8');
      writeFileSync(inventory, text.replace('      - name: invoices\n', `${apis.join('')}      - name: invoices\n`));
      return { behaviour: { mode, file }, ...more };
    },
  });
  const svid = estate.svid(LEDGER);
  const client = new CheckClient(estate.sidecar.check);
  /** The audit line about a read of the ledger. */
  const read = async (path: string) => {
    const attributes = connectionOf(workload(LEDGER), svid);
    await client.check(checkBytes({ path, headers: usualHeaders, attributes }));
    return estate.sidecar.audit().findLast(({ decision }) => decision !== undefined) as unknown as Line;
  };
  const scan = async (): Promise<readonly Line[]> => {
    const lines: Line[] = [];
    for (let n = 0; n < HIDDEN; n++) lines.push(await read(`/api/hidden${n}`));
    return lines;
  };
  const stop = async () => {
    client.close();
    await estate.stop();
  };
  return { ...estate, file, read, scan, stop };
}
