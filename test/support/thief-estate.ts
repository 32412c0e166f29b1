import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { bundleDocument, type Issued, TestCa } from './ca.ts';
import { connectionManager, type EnvoyTree } from './envoy.ts';
import {
  type ConfigOverrides,
  exampleIdentity,
  PAYMENTS,
  type Prepare,
  SidecarEstate,
  TRUST_DOMAIN,
  workload,
} from './estate.ts';
import { secondAfterStart } from './proof-time.ts';
import type { IssuerSettings } from './task-issuer.ts';
import { ERP, ThiefLegacy } from './thief-legacy.ts';
import { ThiefTokens } from './thief-tokens.ts';

export const CRM = 'crm.internal';
export const PARTNER = 'spiffe://partner.example/ns/shop/sa/assistant';

/** Where a stolen credential is tried, by how much it matters. */
export const places = {
  /** Public. */
  status: '/api/status',
  /** Internal. */
  exports: '/api/exports/2026-10',
  /** Internal, for the purpose issue-refunds alone. */
  claims: '/api/claims/7',
  /** Confidential, the scope invoices. */
  invoice: '/api/invoices/42',
  otherInvoice: '/api/invoices/43',
  /** Confidential, another scope. */
  credits: '/api/credits/42',
  /** Restricted: asks for a proof that is used once. */
  payout: '/api/payouts/7',
  otherPayout: '/api/payouts/8',
  /** Of the other host; internal. */
  ticket: '/tickets/7',
} as const;

const paths = {
  agent: '/ns/agents/sa/billing-agent',
  thief: '/ns/agents/sa/dunning-agent',
  orchestrator: '/ns/agents/sa/orchestrator',
  tools: '/ns/platform/sa/tool-server',
  ledger: '/ns/payments/sa/ledger',
} as const;
type Person = keyof typeof paths;

/** The SPIFFE IDs of who plays. The thief is an agent like the victim, with the very same permits, and taken over. */
export const ids = Object.fromEntries(Object.entries(paths).map(([name, path]) => [name, workload(path)])) as Readonly<
  Record<Person, string>
>;

/** The permits of the thief's estate beside those of cedar/example: what a token opens, its holder may see. */
const policies = `
@id("finance-agents-read-by-sensitivity")
permit (principal in Mesh::Group::"finance-agents", action in Mesh::Action::"read", resource in Mesh::Host::"payments.internal")
when {
  (resource in Mesh::Api::"payments.internal/exports" || resource in Mesh::Api::"payments.internal/credits" ||
   resource in Mesh::Api::"payments.internal/payouts") &&
  context has task && context.task.purpose in Mesh::Purpose::"reconcile-invoices"
};

@id("finance-agents-handle-claims")
permit (principal in Mesh::Group::"finance-agents", action, resource in Mesh::Api::"payments.internal/claims")
when { context has task && context.task.purpose in Mesh::Purpose::"issue-refunds" };

@id("tool-server-reads-for-finance")
permit (
  principal == Mesh::Workload::"${ids.tools}",
  action in Mesh::Action::"read",
  resource in Mesh::Host::"payments.internal"
)
when {
  (resource in Mesh::Api::"payments.internal/exports" || resource in Mesh::Api::"payments.internal/invoices") &&
  context has task && context.task.purpose in Mesh::Purpose::"reconcile-invoices"
};

@id("partner-reads-invoices")
permit (
  principal == Mesh::Workload::"${PARTNER}",
  action in Mesh::Action::"read",
  resource in Mesh::Api::"payments.internal/invoices"
)
when { context has task && context.task.purpose in Mesh::Purpose::"reconcile-invoices" };
`;

interface InventoryFile {
  workloads: { readonly id: string; readonly [more: string]: unknown }[];
  resources: { host: string; origin?: string; apis: object[] }[];
}

function writeInventory(dir: string, legacy: ThiefLegacy): void {
  const file = join(dir, 'inventory.yaml');
  const inventory = parse(readFileSync(file, 'utf8')) as InventoryFile;
  Object.assign(inventory.workloads.find(({ id }) => id === ERP)!, legacy.entry());
  inventory.workloads.push(
    { id: ids.thief, owner: 'payments', kind: 'agent', external: false, groups: ['finance-agents'] },
    { id: PARTNER, owner: 'platform', kind: 'agent' },
  );
  for (const host of inventory.resources) {
    if (host.host !== PAYMENTS && host.host !== CRM) continue;
    host.origin = `https://${host.host}`;
    if (host.host === PAYMENTS) host.apis.push(...moreApis);
  }
  // JSON is YAML.
  writeFileSync(file, JSON.stringify(inventory));
}

const moreApis = [
  { name: 'credits', path: '/api/credits/{credit}', scopes: ['credits'] },
  { name: 'claims', path: '/api/claims/{claim}', sensitivity: 'internal', loosens: true },
  { name: 'payouts', path: '/api/payouts/{payout}', sensitivity: 'restricted', scopes: ['invoices'] },
];

/** Two hosts behind one Envoy; the route of each vouches for its name. */
export function routeTwoHosts(tree: EnvoyTree): void {
  const { route_config } = connectionManager(tree);
  const routes = route_config.virtual_hosts[0]!.routes;
  route_config.virtual_hosts = [PAYMENTS, CRM].map((host) => ({
    name: host,
    domains: [host],
    routes,
    typed_per_filter_config: {
      'envoy.filters.http.ext_authz': {
        '@type': 'type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute',
        check_settings: { context_extensions: { host } },
      },
    },
  }));
}

/** A copy of the example estate with every kind of credential that could be stolen, and those who play. */
export const ThiefEstate = { start };
export type ThiefEstate = Awaited<ReturnType<typeof start>>;

/** All else than this overrides as `config` does. */
interface ThiefOptions extends ConfigOverrides {
  /** Merged into the section that believes the estate's tokens. */
  readonly task?: object;
  /** More of every issuer there. */
  readonly issuers?: IssuerSettings;
  readonly listen?: ConfigOverrides;
  /** Changes more files; what it returns overrides as `config` does. */
  readonly prepare?: Prepare;
}

async function start({ task, issuers, listen = {}, prepare: more, ...config }: ThiefOptions = {}) {
  const tokens = new ThiefTokens(TRUST_DOMAIN);
  const legacy = new ThiefLegacy();
  const partnerCa = TestCa.root('partner.example');
  const prepare = (dir: string, ca: TestCa): ConfigOverrides => {
    writeInventory(dir, legacy);
    writeFileSync(join(dir, 'policies', 'thief.cedar'), policies);
    // They are about the example, and one of them would keep a mutated guardrail from being loaded.
    rmSync(join(dir, 'policies', 'tests'), { recursive: true });
    const bundle = bundleDocument([ca]);
    const keys = [...bundle.keys, ...tokens.issuer.bundleKeys()];
    writeFileSync(join(dir, 'bundle.json'), JSON.stringify({ ...bundle, keys }));
    writeFileSync(join(dir, 'partner.json'), JSON.stringify(bundleDocument([partnerCa])));
    const { trustDomains, ...identity } = exampleIdentity({ mode: 'sanitize-set' });
    const domains = { ...(trustDomains as object), 'partner.example': { bundle: { file: './partner.json' } } };
    return {
      hosts: [],
      identity: { ...identity, trustDomains: domains, legacy: legacy.configure(dir) },
      task: { ...tokens.configure(dir, issuers), ...task },
      ...more?.(dir, ca),
    };
  };
  const base = await SidecarEstate.start({ prepare, config, listen });
  await secondAfterStart();
  /** A certificate with its key for each of `ids`. */
  const svids = Object.fromEntries(Object.entries(ids).map(([name, id]) => [name, base.ca.svid(id)])) as Readonly<
    Record<Person, Issued>
  >;
  return { base, tokens, legacy, partnerCa, svids, stop: base.stop };
}
