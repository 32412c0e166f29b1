import { stringify } from 'yaml';
import { credentials } from '../../identity/caller.ts';
import type { Inventory } from '../../inventory/inventory.ts';
import type { Workload } from '../../inventory/model.ts';
import { sensitivities } from '../../inventory/schema.ts';
import type { AuthorizationCall, CedarValue, Entity } from '../../policy/decide/call.ts';
import { authorizationCall, type NamedEntities } from '../../policy/decide/cedar-request.ts';
import type { Engine } from '../../policy/decide/engine.ts';
import type { Snapshot } from '../../policy/decide/snapshot.ts';
import { runCase } from '../../policy/load/cases.ts';
import { questionsFor, type Scenario } from '../../policy/load/scenario.ts';
import { type SampleTarget, sampleTargets, sampleWorkloads } from '../samples.ts';
import { asPermit, type Sentence } from './rules.ts';

/** Where a case is looked for. */
export interface CaseSearch {
  readonly snapshot: Snapshot<Inventory>;
  readonly named: NamedEntities;
  readonly schema: string;
  readonly engine: Engine;
}

/** Requests that are judged before the search ends. */
const MAX_TRIED = 1000;
const OUTSIDE = '192.0.2.1';

/**
 * The request of a counterexample as a policy test: with a workload and a resource of the inventory that are as the solver said, and
 * with the facts that a person can state. Null where no such request is allowed and claimed to be denied.
 */
export function caseFor(claim: Sentence, call: AuthorizationCall, search: CaseSearch): object | null {
  const { snapshot, named } = search;
  const { inventory } = snapshot;
  const workloads = (sampleWorkloads(inventory, named) ?? []).map(({ workload }) => workload);
  const targets = sampleTargets(inventory, named);
  if (typeof targets === 'string' || nameOf(call.context.role) !== 'caller') return null;
  const chain = recordOf(call.context.chain);
  const callers = workloads.filter((one) => isLike(one, entityOf('Workload', call.principal.id, call)));
  const first = workloads.filter((one) => isLike(one, entityOf('Workload', nameOf(chain.originator), call)));
  const begun = chain.depth === 1 ? [null] : first.slice(0, 5);
  let tried = 0;
  for (const caller of callers) {
    for (const sample of targets.filter((one) => isTarget(one, call))) {
      for (const originator of begun) {
        if (++tried > MAX_TRIED) return null;
        const stated = statedBy(call, caller, originator, sample, inventory);
        if (isAnswer(stated, claim, search)) return { name: claim.sentence, ...stated, expect: 'deny' };
      }
    }
  }
  return null;
}

/** Cases as a file of tests. */
export const casesFile = (cases: readonly object[]): string => stringify({ cases }, { lineWidth: 0 });

/** Whether the request is allowed, though the claim forbids it. */
function isAnswer(stated: Scenario, claim: Sentence, { snapshot, named, schema, engine }: CaseSearch): boolean {
  const questions = questionsFor(stated, snapshot.inventory, snapshot.headers);
  if (!Array.isArray(questions)) return false;
  if (runCase({ questions }, (question) => snapshot.decide(question)).result !== 'allow') return false;
  return questions.some((question) => {
    const answer = engine.ask(
      { schema, policies: { claim: asPermit(claim) } },
      authorizationCall(question, named, snapshot.inventory),
    );
    return answer.kind === 'answered' && answer.decision === 'allow';
  });
}

function statedBy(
  { context }: AuthorizationCall,
  caller: Workload,
  originator: Workload | null,
  { line, upgrade, target }: SampleTarget,
  { known }: Inventory,
): Scenario & { readonly request: string } {
  const task = context.task === undefined ? null : recordOf(context.task);
  const path = line.path.split('/').map(encodeURIComponent).join('/');
  const touched = (of: CedarValue | undefined) => ({ sensitivity: sensitivities[Number(recordOf(of).sensitivity)] });
  const purpose = task === null ? '' : nameOf(task.purpose);
  const signals = textsOf(context.signals).length === 0 ? [] : [...known.signals].slice(0, 1);
  const network = caller.networks?.[0]?.split('/')[0];
  const own = target.resource.apis.map((api) => ({ api, parameters: {} }));
  return {
    caller: caller.id.text,
    request: `${line.method} ${line.host}${path}`,
    ...(upgrade ? { upgrade } : {}),
    ...(originator === null ? {} : { through: [originator.id.text] }),
    credential: credentials.find((one) => one === nameOf(context.credential)) ?? 'x509-svid',
    ...(task === null
      ? {}
      : {
          task: {
            purpose: known.purposes.has(purpose) ? purpose : ([...known.purposes][0] ?? ''),
            assurance: ([1, 2, 3] as const).find((one) => one === task.assurance) ?? 1,
            scopes: [...textsOf(task.scopes)].map((scope) => (scope === '' ? 'any' : scope)),
            touched: touched(task.touched),
            ...(typeof task.coversResource === 'boolean' ? { resources: task.coversResource ? own : [] } : {}),
          },
        }),
    client: context.inNetworks === true && network !== undefined ? network : OUTSIDE,
    credentialAge: typeof context.credentialAge === 'number' ? context.credentialAge : null,
    risk: typeof context.risk === 'number' ? context.risk : null,
    approvals: textsOf(context.approvals).filter((name) => known.approvals.has(name)),
    signals,
    touched: touched(context.touched),
  };
}

function isLike({ kind, external, relay, owner, id }: Workload, entity: Entity | undefined): boolean {
  const attrs = entity?.attrs ?? {};
  return (
    nameOf(attrs.kind) === kind &&
    attrs.external === external &&
    attrs.relay === relay &&
    nameOf(attrs.owner) === owner &&
    nameOf(attrs.trustDomain) === id.trustDomain
  );
}

function isTarget({ target: { action, resource } }: SampleTarget, call: AuthorizationCall): boolean {
  const attrs = entityOf('Endpoint', call.resource.id, call)?.attrs ?? {};
  const isAs = attrs.sensitivity === resource.sensitivity && attrs.external === resource.external;
  return action === call.action.id && isAs && attrs.host === resource.host.name;
}

const entityOf = (type: string, id: string, { entities }: AuthorizationCall): Entity | undefined =>
  entities.find(({ uid }) => uid.id === id && uid.type === `Mesh::${type}`);

const recordOf = (value: CedarValue | undefined): { readonly [name: string]: CedarValue } =>
  typeof value === 'object' && !Array.isArray(value) && !('__entity' in value)
    ? (value as { readonly [name: string]: CedarValue })
    : {};

const nameOf = (value: CedarValue | undefined): string =>
  typeof value === 'object' && '__entity' in value ? (value.__entity as { readonly id: string }).id : '';

const textsOf = (value: CedarValue | undefined): readonly string[] =>
  Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
