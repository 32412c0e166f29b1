import { Refusal } from '../../src/base/outcome.ts';
import { SpiffeId } from '../../src/base/spiffe-id.ts';
import { ApiProblem } from '../../src/control/http/problem.ts';
import { exchangeGrant, type Grant, type GrantRules, startGrant } from '../../src/control/token-service/grant.ts';
import type { TokenRequest } from '../../src/control/token-service/request.ts';
import type { TaskResource } from '../../src/task/resources.ts';
import { Random } from './tools/random.ts';

/** Each purpose with those right above it; one has two. */
const PURPOSES: Readonly<Record<string, readonly string[]>> = {
  all: [],
  finance: ['all'],
  support: ['all'],
  invoices: ['finance'],
  'reconcile-invoices': ['invoices', 'audits'],
  audits: ['all'],
};
const SCOPES = ['read', 'write', 'ledger', 'refund', 'Read'];
const WORKLOADS = ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => {
  const id = SpiffeId.parse(`spiffe://prod.example/${name}`);
  if (id instanceof Refusal) throw new Error(id.detail);
  return id;
});
const RESOURCES: readonly (readonly TaskResource[] | null)[] = [
  null,
  [{ api: 'payments.internal/invoices', parameters: { invoice: '42' } }],
  [{ api: 'payments.internal/invoices', parameters: {} }],
  [
    { api: 'payments.internal/invoices', parameters: { invoice: '42' } },
    { api: 'payments.internal/refunds', parameters: {} },
  ],
];
const AUDIENCE = 'prod.example';

/** All that lies above a purpose, by walking up. */
function above(purpose: string): ReadonlySet<string> {
  const found = new Set<string>();
  const open = [...(PURPOSES[purpose] ?? [])];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    found.add(next);
    open.push(...(PURPOSES[next] ?? []));
  }
  return found;
}

const rules: GrantRules = {
  audience: AUDIENCE,
  maxTokenSeconds: 600,
  maxTaskSeconds: 7200,
  maxDepth: 4,
  widerPurposes: (purpose) => (Object.hasOwn(PURPOSES, purpose) ? [...above(purpose)] : null),
};

/** What of `after` is more than `before` had; null: nothing is. Written from the words of the standard, not from the rule. */
export function widened(before: Grant, after: Grant, handedOn: boolean): string | null {
  const wider: readonly (readonly [string, boolean])[] = [
    ['task', after.id !== before.id],
    ['purpose', after.purpose !== before.purpose && !above(after.purpose).has(before.purpose)],
    ['scope', after.scopes.some((scope) => !before.scopes.includes(scope))],
    ['end', after.endsAt > before.endsAt || after.expiresAt > before.endsAt],
    ['lifetime', handedOn && after.expiresAt > before.expiresAt],
    ['resources', JSON.stringify(after.resources) !== JSON.stringify(before.resources)],
    ['chain', before.chain.some((hop, at) => after.chain[at] !== hop)],
    ['depth', after.chain.length > rules.maxDepth || after.chain.length > before.chain.length + 1],
    ['hop twice', new Set(after.chain).size < after.chain.length],
  ];
  return wider.find(([, is]) => is)?.[0] ?? null;
}

interface Held {
  readonly grant: Grant;
  readonly root: Grant;
}

/** What one sequence of exchanges came to. */
export interface Played {
  readonly granted: number;
  readonly refused: number;
  /** What was wider than before, in the first exchange where anything was. */
  readonly widened: string | null;
}

/** Requests at random, good and bad, of whatever tokens there are by then, by workloads at random. */
export function playExchanges(seed: number, onGrant: (grant: Grant, now: number) => void = () => {}): Played {
  const random = new Random(seed);
  let now = 1_795_600_800;
  const held: Held[] = [];
  let [granted, refused] = [0, 0];
  const steps = 4 + random.below(12);
  for (let step = 0; step < steps; step++) {
    now += random.below(200);
    const from = held.length === 0 || random.below(8) === 0 ? null : held[random.below(held.length)]!;
    const request = requestOf(random, from?.grant ?? null);
    const honest = from?.grant.chain.at(-1) ?? '';
    const caller = from !== null && random.below(6) > 0 ? honest : WORKLOADS[random.below(WORKLOADS.length)]!.text;
    const grant =
      from === null
        ? startGrant(request, { id: `t${step}`, starting: [caller] }, rules, now)
        : exchangeGrant(request, from.grant, caller, rules, now);
    if (grant instanceof ApiProblem) {
      refused++;
      continue;
    }
    granted++;
    onGrant(grant, now);
    if (from !== null) {
      const more =
        (caller === honest ? null : 'holder') ??
        (request.audience === AUDIENCE ? null : 'audience') ??
        widened(from.grant, grant, request.actor !== null) ??
        widened({ ...from.root, chain: from.grant.chain }, grant, false);
      if (more !== null) return { granted, refused, widened: `${more} (seed ${seed}, step ${step})` };
    }
    held.push({ grant, root: from?.root ?? grant });
  }
  return { granted, refused, widened: null };
}

function requestOf(random: Random, before: Grant | null): TokenRequest {
  const pick = <T>(of: readonly T[]): T => of[random.below(of.length)]!;
  const seldom = <T>(one: T, otherwise: T): T => (random.below(10) === 0 ? one : otherwise);
  const known = before === null || random.below(4) === 0 ? SCOPES : before.scopes;
  return {
    subject: { kind: 'named', subject: '' },
    audience: seldom('other.example', AUDIENCE),
    scopes: known.filter(() => random.below(2) === 0),
    actor: random.below(2) === 0 ? null : pick(WORKLOADS),
    purpose: before !== null && random.below(2) === 0 ? null : pick([...Object.keys(PURPOSES), seldom('party', 'all')]),
    lifetimeSeconds: random.below(2) === 0 ? null : 1 + random.below(seldom(20_000, 2000)),
    leaseSeconds: before === null ? null : seldom(60, null),
    budgets: { calls: null, writes: null, resources: null },
    resources: before === null ? pick(RESOURCES) : pick([null, before.resources, pick(RESOURCES)]),
  };
}
