import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { newApiKey } from '../../src/base/secrets/api-key.ts';
import { learnedFile } from '../support/behaviour/learned.ts';
import type { Answer, Shown } from '../support/client.ts';
import { exampleIdentity, PAYMENTS, type Prepare, workload } from '../support/estate.ts';
import { KEY_HEADER, keyEntry } from '../support/legacy.ts';
import { allowed, denied, LEDGER, READER, type Row, type Stage, send } from './rows.ts';

const ERP = '/legacy/erp';
const INVOICE = '/api/invoices/42';
const EXPORT = '/api/exports/2026-10';
/** Apis beside those of the example, as a larger estate has them: each is one that the support desk never used. */
const ARCHIVES = 24;
/** Requests of the owner in a row, where one in five minutes is usual. */
const BURST = 50;
const keys = { used: newApiKey(), ended: newApiKey() };

interface InventoryFile {
  readonly workloads: { readonly id?: string; networks?: string[]; legacy?: object }[];
  readonly resources: { readonly host: string; readonly apis: object[] }[];
}

/** Learns ten days of what is usual for the support desk; lets the sidecar act on it, and admit API keys of an account on this machine. */
export async function watchBehaviour(): Promise<Prepare> {
  const file = await learnedFile(workload(READER), [`${PAYMENTS}/invoices`, `${PAYMENTS}/status`]);
  return (dir) => {
    addToInventory(join(dir, 'inventory.yaml'));
    return {
      identity: { ...exampleIdentity({ mode: 'sanitize-set' }), legacy: { keyHeader: KEY_HEADER } },
      behaviour: { mode: 'act', file },
    };
  };
}

function addToInventory(file: string): void {
  const inventory = parse(readFileSync(file, 'utf8')) as InventoryFile;
  const payments = inventory.resources.find(({ host }) => host === PAYMENTS);
  for (let n = 1; n <= ARCHIVES; n++) payments?.apis.push({ name: `archive-${n}`, path: `/api/archives/${n}` });
  const erp = inventory.workloads.find(({ id }) => id === workload(ERP));
  if (erp === undefined) throw new Error('the example has no ERP');
  erp.networks = [...(erp.networks ?? []), '127.0.0.1/32'];
  erp.legacy = { hosts: [PAYMENTS], keys: [keyEntry(keys.used, 30, 30), keyEntry(keys.ended, 60, -1)] };
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(inventory));
}

/**
 * The support desk's key is used by its owner, and then by a thief: the scan ends in a quarantine of the workload, which the owner
 * shares until it ends, and nobody else does. An API key opens what it is for, from its network, until it is to be rotated.
 */
export function stolenRows(): readonly Row[] {
  let key: Shown | null = null;
  const reader = async ({ estate }: Stage, path: string): Promise<Answer> => {
    key ??= await estate.svid(READER);
    return await send(estate.envoy, key, { path });
  };
  const oneAfterAnother = async (stage: Stage, paths: readonly string[]): Promise<Answer> => {
    let last: Answer | null = null;
    for (const path of paths) last = await reader(stage, path);
    return last!;
  };
  const byKey =
    (key: string, localAddress = '127.0.0.1') =>
    ({ openEnvoy }: Stage): Promise<Answer> =>
      send(openEnvoy, null, { path: EXPORT, headers: { [KEY_HEADER]: key }, localAddress });
  const burst = Array.from({ length: BURST }, () => INVOICE);
  const scan = Array.from({ length: ARCHIVES }, (_, n) => `/api/archives/${n + 1}`);
  const erp = { who: 'erp (legacy), API key', task: '–' };
  const [owner, task] = ['reader (service)', '–'];
  return [
    {
      who: owner,
      task,
      request: `GET ${INVOICE}, ${BURST} in a row`,
      expected: allowed,
      travels: BURST,
      play: (stage) => oneAfterAnother(stage, burst),
    },
    {
      who: 'reader, its key stolen',
      task,
      request: `a scan of ${ARCHIVES} other apis`,
      expected: denied('revoked_workload'),
      play: (stage) => oneAfterAnother(stage, scan),
    },
    {
      who: owner,
      task,
      request: `GET ${INVOICE}, its key is the thief’s`,
      expected: denied('revoked_workload'),
      play: (stage) => reader(stage, INVOICE),
    },
    {
      who: 'ledger (service)',
      task,
      request: `GET ${INVOICE}, beside it`,
      expected: allowed,
      play: async ({ estate }) => send(estate.envoy, await estate.svid(LEDGER), { path: INVOICE }),
    },
    { ...erp, request: `GET ${EXPORT}`, expected: allowed, play: byKey(keys.used) },
    {
      ...erp,
      request: `GET ${EXPORT}, another network`,
      expected: denied('identity_legacy_network'),
      play: byKey(keys.used, '127.0.0.2'),
    },
    {
      ...erp,
      request: `GET ${EXPORT}, a day after rotateBy`,
      expected: denied('identity_key_expired'),
      play: byKey(keys.ended),
    },
  ];
}
