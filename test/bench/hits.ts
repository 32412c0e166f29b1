import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthorizationCall } from '../../src/policy/decide/call.ts';
import { Engine, type EngineAnswer, type Program } from '../../src/policy/decide/engine.ts';
import type { Question } from '../../src/policy/decide/question.ts';
import type { Snapshot } from '../../src/policy/decide/snapshot.ts';
import { SnapshotHolder } from '../../src/policy/load/holder.ts';
import { copyExample, PAYMENTS, TRUST_DOMAIN, workload } from '../support/estate.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';
import { question, settings, task } from '../support/policy.ts';
import { Random } from '../support/tools/random.ts';
import { rounded } from './figures.ts';
import { root } from './servers/servers.ts';

const CHECKS = 6000;
const PER_SECOND = 200;
const PATHS = 200;
const TASKS = 5;
const LIFE_MS = 300_000;
const HOUR_MS = 3_600_000;
/** Kinds of workloads, twenty in all, with what the inventory says of each. */
const KINDS: readonly (readonly [count: number, folder: string, facts: string])[] = [
  [8, 'agents', 'kind: agent, external: false, groups: [finance-agents]'],
  [2, 'agents', 'kind: agent'],
  [3, 'agents', 'kind: agent, external: false, relay: true'],
  [4, 'payments', 'kind: service, relay: false'],
  [2, 'batch', 'kind: job'],
  [1, 'legacy', 'kind: legacy, networks: [10.0.0.0/8], reviewed: 2026-06-30'],
];
const OWNERS = ['payments', 'support', 'platform'];
const PURPOSES = ['reconcile-invoices', 'issue-refunds', 'answer-tickets', 'finance', 'customer-care'];
const SCOPES = [[], ['invoices'], ['refunds'], ['invoices', 'refunds'], ['tickets']];

/** How many decisions were remembered verdicts, in percent. */
export interface Hits {
  readonly decisions: number;
  readonly percent: number;
  readonly percentInSecondHalf: number;
  /** Times that Cedar was asked. */
  readonly asked: number;
}

/** Counts what is asked of Cedar: a decision for which nothing is asked was remembered. */
class CountingEngine extends Engine {
  asked = 0;

  override ask(program: Program, call: AuthorizationCall): EngineAnswer {
    this.asked++;
    return super.ask(program, call);
  }
}

/**
 * `npm run bench -- hits [SEED]`: 20 workloads with 200 paths and five tasks each ask for half a minute, 200 a second, about
 * what the shipped policies and the example's decide. Tokens live five minutes and certificates an hour, and each is of
 * another age. Of this mix, how many decisions are remembered?
 */
export async function measureHits(seed = 1): Promise<Hits> {
  const dir = temporaryFolder();
  const engine = new CountingEngine();
  copyExample(dir);
  const inventory = join(dir, 'inventory.yaml');
  const callers = KINDS.flatMap(([count, folder, facts]) =>
    Array.from({ length: count }, (_, n) => {
      const owned = `${facts}, owner: ${OWNERS[n % OWNERS.length]}`;
      return [workload(`/ns/${folder}/sa/${facts.length}-${n}`), owned] as const;
    }),
  );
  const entries = callers.map(([id, facts]) => `  - { id: '${id}', ${facts} }\n`).join('');
  writeFileSync(inventory, readFileSync(inventory, 'utf8').replace('\nworkloads:\n', `\nworkloads:\n${entries}`));
  const holder = await SnapshotHolder.open({
    paths: { folder: join(dir, 'policies'), inventory, guardrails: join(root, 'cedar', 'guardrails') },
    settings: { ...settings, trustDomains: [TRUST_DOMAIN], ownTrustDomains: [TRUST_DOMAIN], headers: [] },
    engine,
    clock: Date.now,
  });
  try {
    const snapshot = holder.current();
    if (snapshot === null) throw new Error(`no snapshot: ${JSON.stringify(holder.status().problems)}`);
    const asks = questions(snapshot, callers, new Random(seed));
    const remembered: boolean[] = [];
    engine.asked = 0;
    for (const ask of asks) {
      const before = engine.asked;
      if (snapshot.decide(ask).result === 'error') throw new Error('a question could not be judged');
      remembered.push(engine.asked === before);
    }
    const percent = (part: readonly boolean[]) => rounded((100 * part.filter(Boolean).length) / part.length, 1);
    return {
      decisions: remembered.length,
      percent: percent(remembered),
      percentInSecondHalf: percent(remembered.slice(remembered.length / 2)),
      asked: engine.asked,
    };
  } finally {
    await holder.close();
    engine.close();
    removeFolder(dir);
  }
}

/** Who asks what, in the order of time. */
function* questions(
  { inventory }: Pick<Snapshot<Parameters<typeof question>[0]>, 'inventory'>,
  callers: readonly (readonly [id: string, facts: string])[],
  random: Random,
): Generator<Question> {
  const start = Date.UTC(2026, 10, 25, 10);
  /** Of each caller and task, when its token was issued; of each caller, its certificate. */
  const issued = callers.map(() => Array.from({ length: TASKS }, () => start - random.below(LIFE_MS)));
  const certified = callers.map(() => start - random.below(HOUR_MS));
  for (let n = 0; n < CHECKS; n++) {
    const now = start + Math.floor((n * 1000) / PER_SECOND);
    const [who, path, which] = [random.below(callers.length), random.below(PATHS), random.below(TASKS)];
    const [id, facts] = callers[who]!;
    if (now > issued[who]![which]! + LIFE_MS) issued[who]![which] = now;
    const issuedAt = issued[who]![which]!;
    const inTask = task({
      id: `t-${who}-${which}`,
      purpose: PURPOSES[which]!,
      scopes: SCOPES[(who + which) % SCOPES.length]!,
      subject: `user:${who * TASKS + which}`,
      issuedAt: Math.floor(issuedAt / 1000),
      expiresAt: Math.floor((issuedAt + LIFE_MS) / 1000),
    });
    yield question(inventory, id, requestOf(path), {
      now,
      credentialAge: Math.floor((now - certified[who]!) / 1000),
      inNetworks: facts.includes('networks') ? true : null,
      task: facts.includes('agent') ? inTask : null,
    });
  }
}

/** Method and URL of one of the paths. */
function requestOf(path: number): string {
  const crm = [
    `GET crm.internal/tickets/${path}`,
    `GET crm.internal/customers/${path}`,
    'POST crm.internal/tickets/7/replies',
  ];
  if (path % 4 === 3) return crm[path % crm.length]!;
  if (path % 10 === 9) return `POST ${PAYMENTS}/api/${['refunds', 'search'][path % 2]}`;
  if (path % 10 === 8) return `GET ${PAYMENTS}/api/exports/${path}`;
  return `GET ${PAYMENTS}/api/${path % 10 === 6 ? 'status' : `invoices/${path}`}`;
}
