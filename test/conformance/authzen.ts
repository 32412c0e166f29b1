import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal } from '../../src/base/outcome.ts';
import { readRequest } from '../../src/envoy/request.ts';
import type { Inventory } from '../../src/inventory/inventory.ts';
import { refusalOf } from '../../src/policy/decide/permit.ts';
import type { Snapshot } from '../../src/policy/decide/snapshot.ts';
import { type RequestShape, received, requestOptions } from '../support/check-request.ts';
import { type CorpusResult, corporaDir } from '../support/corpora.ts';
import { loaded, question, settings } from '../support/policy.ts';

/** The header in which the application says whose todo it is. */
const OWNER = 'x-todo-owner';

/** The five people of the AuthZEN Todo scenario, as workloads by the subject that the scenario gives them. */
const people = new Map([
  ['CiRmZDA2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs', 'rick'],
  ['CiRmZDE2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs', 'morty'],
  ['CiRmZDI2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs', 'summer'],
  ['CiRmZDM2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs', 'beth'],
  ['CiRmZDQ2MTRkMy1jMzlhLTQ3ODEtYjdiZC04Yjk2ZjVhNTEwMGQSBWxvY2Fs', 'jerry'],
]);

const person = (name: string, groups: string, domain: string): string =>
  `  - { id: "spiffe://todo.example/${name}", owner: todo, kind: service, relay: false, groups: [${groups}], labels: { user: "${name}@${domain}" } }`;

const inventory = `teams: [todo]
workloads:
${[
  person('rick', 'admins, evil-geniuses', 'the-citadel.com'),
  person('morty', 'editors', 'the-citadel.com'),
  person('summer', 'editors', 'the-smiths.com'),
  person('beth', 'viewers', 'the-smiths.com'),
  person('jerry', 'viewers', 'the-smiths.com'),
].join('\n')}
resources:
  - host: todo.internal
    owner: todo
    sensitivity: internal
    apis:
      - { name: users, path: "/users/{user}", methods: [GET] }
      - { name: todos, path: /todos, methods: [GET, POST] }
      - { name: todo, path: "/todos/{todo}", methods: [PUT, DELETE] }
`;

/** Written once for both suites: the owner of a todo is known to the application, and at the gateway it is not. */
const policies = `
@id("everyone-reads")
permit (principal in Mesh::TrustDomain::"todo.example", action == Mesh::Action::"GET", resource in Mesh::Host::"todo.internal");

@id("editors-create")
permit (principal, action == Mesh::Action::"POST", resource in Mesh::Api::"todo.internal/todos")
when { principal in Mesh::Group::"admins" || principal in Mesh::Group::"editors" };

@id("editors-change-their-own")
permit (principal in Mesh::Group::"editors", action in [Mesh::Action::"PUT", Mesh::Action::"DELETE"], resource in Mesh::Api::"todo.internal/todo")
when {
  if context.headers.hasTag("x-todo-owner")
  then principal.hasTag("user") && context.headers.getTag("x-todo-owner") == principal.getTag("user")
  else true
};

@id("admins-delete-any")
permit (principal in Mesh::Group::"admins", action == Mesh::Action::"DELETE", resource in Mesh::Api::"todo.internal/todo");

@id("evil-geniuses-update-any")
permit (principal in Mesh::Group::"evil-geniuses", action == Mesh::Action::"PUT", resource in Mesh::Api::"todo.internal/todo");
`;

interface Resource {
  readonly id: string;
  readonly properties?: { readonly ownerID?: string };
}

interface Question {
  readonly subject: { readonly id: string };
  readonly action: { readonly name: string };
  readonly resource: Resource;
}

interface Single {
  readonly request: Question;
  readonly expected: boolean;
}

interface Batch {
  readonly request: Omit<Question, 'resource'> & { readonly evaluations: readonly { readonly resource: Resource }[] };
  readonly expected: readonly { readonly decision: boolean }[];
}

/**
 * The AuthZEN interop scenario, each case a CheckRequest: 25 decisions of the API gateway profile, 40 of the Todo
 * application, and 3 batches (each asks several).
 */
export function run(): CorpusResult {
  const gateway = read<{ evaluation: Single[] }>('api-gateway-decisions.json').evaluation;
  const todo = read<{ evaluation: Single[]; evaluations: Batch[] }>('decisions-authorization-api-1_0-02.json');
  const { snapshot } = loaded(
    { 'todo.cedar': policies },
    {
      inventory: { file: 'inventory.yaml', text: inventory },
      settings: {
        ...settings,
        headers: [{ name: OWNER, type: 'string' }],
        trustDomains: ['todo.example'],
        ownTrustDomains: ['todo.example'],
      },
    },
  );
  const failures: string[] = [];
  let passed = 0;
  const judge = (name: string, asked: readonly Question[], expected: readonly boolean[]): void => {
    const found = asked.map((question) => decide(snapshot, question));
    if (found.join() === expected.join()) passed++;
    else failures.push(`${name}: ${found.join()}, not ${expected.join()}`);
  };
  for (const [index, { request, expected }] of gateway.entries()) judge(`gateway ${index}`, [request], [expected]);
  for (const [index, { request, expected }] of todo.evaluation.entries()) {
    judge(`todo ${index}`, [request], [expected]);
  }
  for (const [index, { request, expected }] of todo.evaluations.entries()) {
    const asked = request.evaluations.map(({ resource }) => ({ ...request, resource }));
    judge(
      `batch ${index}`,
      asked,
      expected.map(({ decision }) => decision),
    );
  }
  return {
    passed,
    failures,
    excepted: 0,
    note: `${gateway.length} + ${todo.evaluation.length} + ${todo.evaluations.length}`,
  };
}

function decide(snapshot: Snapshot<Inventory>, asked: Question): boolean {
  const input = readRequest(
    received({ ...shapeOf(asked), host: 'todo.internal' }),
    { checkPeer: null },
    requestOptions,
  );
  if (input instanceof Refusal) throw new Error(`${input.reason}: ${input.detail}`);
  const target = snapshot.inventory.locate(input, { hosts: ['todo.internal'] });
  if (target instanceof Refusal) throw new Error(`${target.reason}: ${target.detail}`);
  const id = `spiffe://todo.example/${people.get(asked.subject.id)}`;
  const headers = new Map(input.headers.all(OWNER).map((value) => [OWNER, value]));
  const verdict = snapshot.decide(question(snapshot.inventory, id, 'GET todo.internal/todos', { target, headers }));
  const refusal = refusalOf([verdict]);
  if (refusal === null) return true;
  if (refusal.reason === 'policy_no_permit') return false;
  throw new Error(`${refusal.reason}: ${refusal.detail}`);
}

/** What the Todo application's actions are over HTTP; the gateway's are methods already. */
function shapeOf({ action, resource }: Question): RequestShape {
  const owner = resource.properties?.ownerID;
  const headers = owner === undefined ? {} : { [OWNER]: owner };
  switch (action.name) {
    case 'can_read_user':
      return { method: 'GET', path: `/users/${resource.id}` };
    case 'can_read_todos':
      return { method: 'GET', path: '/todos' };
    case 'can_create_todo':
      return { method: 'POST', path: '/todos' };
    case 'can_update_todo':
      return { method: 'PUT', path: `/todos/${resource.id}`, headers };
    case 'can_delete_todo':
      return { method: 'DELETE', path: `/todos/${resource.id}`, headers };
    default:
      return { method: action.name, path: resource.id.replaceAll(/[{}]/g, '') };
  }
}

function read<T>(file: string): T {
  return JSON.parse(readFileSync(join(corporaDir, 'authzen', file), 'utf8')) as T;
}
