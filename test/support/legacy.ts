import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { apiKeyDigest, newApiKey } from '../../src/base/secrets/api-key.ts';
import { type Issued, TestCa } from './ca.ts';
import { type Ask, workload } from './world.ts';
import { EXPORT } from './world-asks.ts';

export const KEY_HEADER = 'x-api-key';
export const ERP = workload('/legacy/erp');
/** Another account, in other networks, whose keys are too old and too new. */
export const CRM = workload('/legacy/crm');
/** An account whose keys are as old as can be, and older. */
export const HR = workload('/legacy/hr');

/** An account whose only key ends in ten days. */
export const OPS = workload('/legacy/ops');

const DAY_MS = 86_400_000;

/** The keys of the accounts, made for this run. */
export const apiKeys = {
  /** What the ERP uses, and what it is to use next. */
  erp: newApiKey(),
  erpNext: newApiKey(),
  /** Past its day, and not there yet. */
  crmOld: newApiKey(),
  crmNext: newApiKey(),
  /** A day younger than the guardrail on rotation stops, and a day older. */
  hrFresh: newApiKey(),
  hrAged: newApiKey(),
  opsDue: newApiKey(),
  /** Nobody's key. */
  unknown: newApiKey(),
} as const;

/** What the inventory calls a certificate. */
export const hexThumbprint = ({ thumbprint }: Issued): string => Buffer.from(thumbprint, 'base64url').toString('hex');

/** The line of the inventory for a key, made `age` days ago and to be rotated in `left` days. */
export const keyEntry = (key: string, age: number, left: number, nowMs = Date.now()) => ({
  sha256: apiKeyDigest(key),
  created: new Date(nowMs - age * DAY_MS).toISOString().replace(/\.\d+Z$/, 'Z'),
  rotateBy: new Date(nowMs + left * DAY_MS).toISOString().slice(0, 10),
});

type Inventory = { workloads: { id?: string; legacy?: unknown }[] };

const account = (id: string, network: string, keys: readonly object[]) => ({
  id,
  owner: 'support',
  kind: 'legacy',
  networks: [network],
  legacy: { hosts: ['payments.internal'], keys },
});

/** Issues certificates to accounts, and to nobody else. */
export const legacyCa = TestCa.root('legacy.example', { subject: 'legacy root', uris: [] });
/** Another authority, of which no account takes anything. */
export const otherLegacyCa = TestCa.root('legacy.example', { subject: 'other legacy root', uris: [] });

/** A certificate of the ERP by its digest, and those of others by DNS names. */
export const legacyCertificates = {
  erp: legacyCa.issue({ subject: 'erp' }),
  hr: legacyCa.issue({ subject: 'hr', dns: ['hr.legacy.example'] }),
} as const;

/** The configuration of `identity.legacy`, and the files that it names. */
export function legacySection(): object {
  const authorities = ['erp-ca', 'other-ca'].map((name) => ({ name, file: `./${name}.pem` }));
  return { keyHeader: KEY_HEADER, authorities };
}

/** Gives API keys to the ERP of the mesh, and adds the other accounts. */
export function addLegacyAccounts(folder: string): void {
  const file = join(folder, 'inventory.yaml');
  const inventory = parse(readFileSync(file, 'utf8')) as Inventory;
  const erp = inventory.workloads.find(({ id }) => id === ERP);
  if (erp === undefined) throw new Error('the mesh has no ERP');
  const keys = [keyEntry(apiKeys.erp, 30, 30), keyEntry(apiKeys.erpNext, 1, 60)];
  const certificates = [{ sha256: hexThumbprint(legacyCertificates.erp) }];
  erp.legacy = { hosts: ['payments.internal', 'reports.internal'], keys, certificates };
  const crmKeys = [keyEntry(apiKeys.crmOld, 60, -1), keyEntry(apiKeys.crmNext, -1, 60)];
  const hrKeys = [keyEntry(apiKeys.hrFresh, 89, 30), keyEntry(apiKeys.hrAged, 91, 30)];
  inventory.workloads.push(account(CRM, '10.3.0.0/16', crmKeys), account(HR, '10.4.0.0/16', hrKeys));
  inventory.workloads.push(account(OPS, '10.5.0.0/16', [keyEntry(apiKeys.opsDue, 80, 10)]));
  const hr = inventory.workloads.find(({ id }) => id === HR);
  const named = { authority: 'erp-ca', dnsName: 'hr.legacy.example' };
  Object.assign(hr?.legacy as object, { certificates: [named] });
  const crmNamed = { authority: 'erp-ca', dnsName: 'crm.legacy.example' };
  Object.assign(inventory.workloads.find(({ id }) => id === CRM)?.legacy as object, { certificates: [crmNamed] });
  writeFileSync(join(folder, 'erp-ca.pem'), legacyCa.certificate.pem);
  writeFileSync(join(folder, 'other-ca.pem'), otherLegacyCa.certificate.pem);
  writeFileSync(file, stringify(inventory));
}

/** The ERP, without a certificate, fetches an export by its API key. */
export const erpByKey = (key: string = apiKeys.erp, over: Partial<Ask> = {}): Ask => ({
  svid: null,
  path: EXPORT,
  ...over,
  headers: { [KEY_HEADER]: key, ...over.headers },
});
