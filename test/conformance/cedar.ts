import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthorizationCall, Entity } from '../../src/policy/decide/call.ts';
import { type Cedar, Engine, type EngineAnswer, newInstance, type Program } from '../../src/policy/decide/engine.ts';
import { footprintOf } from '../../src/policy/decide/footprint.ts';
import { keyOf, union } from '../../src/policy/decide/need.ts';
import { type ActionGroups, groupsOf, type Projector, project, projector } from '../../src/policy/decide/project.ts';
import { statements } from '../../src/policy/text/split-policies.ts';
import { type CorpusResult, corporaDir } from '../support/corpora.ts';
import { readTarball } from '../support/tar.ts';

interface CorpusRequest extends Pick<AuthorizationCall, 'principal' | 'action' | 'resource' | 'context'> {
  readonly decision: 'allow' | 'deny';
  readonly reason: readonly string[];
  readonly errors: readonly string[];
}

interface CorpusTest {
  readonly policies: string;
  readonly entities: string;
  readonly schema: string;
  readonly requests: readonly CorpusRequest[];
}

/** Requests of the generated corpus that must be decided, and those that must be refused. */
const DECIDED = 61_456;
const REFUSED = 1016;
/** So many of all, at least, are decided by a projected call too. */
const PROJECTED = 57_828;

/**
 * Cedar's own integration tests through the engine as it serves: preparsed in a slot, the guard before it. Below lint and
 * strict validation, since the corpus has no ids and its own schemas. A request whose integers JavaScript cannot hold
 * must be refused with a reason, never rounded.
 */
export function run(): CorpusResult {
  const folder = join(corporaDir, 'cedar');
  const generated = readTarball(join(folder, 'corpus-tests.tar.gz'));
  const tally = new Tally();
  for (const [name, text] of generated) {
    if (!name.endsWith('.json') || name.endsWith('.entities.json')) continue;
    tally.judge(name, text, (path) => generated.get(path) ?? '');
  }
  const { decided, refused } = tally;
  if (decided !== DECIDED || refused !== REFUSED) {
    tally.failures.push(`${decided} decided and ${refused} refused, not ${DECIDED} and ${REFUSED}`);
  }
  for (const name of globSync('tests/*/*.json', { cwd: folder })) {
    const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
    tally.judge(name, read(name), read);
  }
  if (tally.projected < PROJECTED)
    tally.failures.push(`${tally.projected} projected calls have the answer of the whole one, not ${PROJECTED}`);
  const passed = tally.decided + tally.refused;
  const note = `${tally.decided} decided, ${tally.refused} refused; ${tally.projected} of them by a projected call too`;
  return { passed, failures: tally.failures, excepted: 0, note };
}

class Tally {
  readonly failures: string[] = [];
  decided = 0;
  refused = 0;
  /** Requests that were decided by a call cut down to what the policies read, as a check does it. */
  projected = 0;
  readonly #engine = new Engine();
  readonly #cedar = newInstance();

  judge(name: string, text: string, read: (path: string) => string): void {
    const test = JSON.parse(text) as CorpusTest;
    const entitiesText = read(test.entities);
    const entities = JSON.parse(entitiesText) as Entity[];
    const program = { schema: read(test.schema), policies: numbered(read(test.policies)) };
    const fault = this.#engine.prepare(program);
    if (fault !== null) {
      this.failures.push(`${name}: cannot be loaded: ${fault}`);
      return;
    }
    const fast = fastWay(this.#cedar, program);
    const flat = withAllAncestors(entities);
    const inexactEntities = holdsInexact(entitiesText);
    const inexact = holdsInexact(text);
    for (const [index, request] of test.requests.entries()) {
      const { principal, action, resource, context } = request;
      const answer = this.#engine.ask(program, { principal, action, resource, context, entities });
      const call = { principal, action, resource, context, entities: flat };
      if (fast !== null && answer.kind === 'answered' && answer.errors.length === 0)
        this.#project(`${name}[${index}]`, fast, call, answer);
      const mustRefuse = inexactEntities || (inexact && holdsInexact(sourceOf(text, index)));
      this.#count(`${name}[${index}]`, request, answer, mustRefuse);
    }
  }

  /** A projected call has the answer of the whole one. */
  #project(name: string, { using, groups, program }: FastWay, call: AuthorizationCall, whole: EngineAnswer): void {
    const { key } = project(call, using, groups);
    const answer = this.#engine.ask(program, JSON.parse(key) as AuthorizationCall);
    if (answer.kind === 'answered' && answer.errors.length > 0) return;
    if (JSON.stringify(answer) === JSON.stringify(whole)) this.projected++;
    else this.failures.push(`${name}: projected ${JSON.stringify(answer)}, whole ${JSON.stringify(whole)}`);
  }

  #count(name: string, request: CorpusRequest, answer: EngineAnswer, mustRefuse: boolean): void {
    if (mustRefuse) {
      const named = answer.kind === 'invalid' && answer.message.endsWith('is not an integer that is held exactly');
      if (named) this.refused++;
      else this.failures.push(`${name}: ${JSON.stringify(answer)}, though an integer is beyond 2^53-1`);
      return;
    }
    const found =
      answer.kind === 'answered'
        ? summary(
            answer.decision,
            answer.reasons,
            answer.errors.map((e) => e.policy),
          )
        : JSON.stringify(answer);
    const wanted = summary(request.decision, request.reason, request.errors);
    if (found === wanted) this.decided++;
    else this.failures.push(`${name}: ${found}, not ${wanted}`);
  }
}

/** What a check needs to cut a call down to what these policies read. */
interface FastWay {
  readonly program: Program;
  readonly using: Projector;
  readonly groups: ActionGroups;
}

/** Null where a policy is not understood, so that a check would ask the whole call. */
function fastWay(
  cedar: Cedar,
  { schema, policies }: Program & { schema: string; policies: Record<string, string> },
): FastWay | null {
  const described = cedar.schemaToJson(schema);
  if (described.type === 'failure') return null;
  const footprints = Object.values(policies).map((text) => {
    const parsed = cedar.policyToJson(text);
    return parsed.type === 'success' ? footprintOf(parsed.json) : null;
  });
  const footprint = union(footprints);
  if (footprint === null) return null;
  return { program: { schema: null, policies }, using: projector(footprint), groups: groupsOf(described.json) };
}

/** The ancestors of each entity are listed by itself, as a check does it. */
function withAllAncestors(entities: readonly Entity[]): readonly Entity[] {
  const parents = new Map(entities.map(({ uid, parents }) => [keyOf(uid.type, uid.id), parents]));
  return entities.map((entity) => {
    const found = new Map<string, Entity['parents'][number]>();
    const open = [...entity.parents];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const key = keyOf(next.type, next.id);
      if (found.has(key)) continue;
      found.set(key, next);
      open.push(...(parents.get(key) ?? []));
    }
    return { ...entity, parents: [...found.values()] };
  });
}

/** The corpus calls policies by their position. */
function numbered(text: string): Record<string, string> {
  const parts = statements(text);
  if ('message' in parts) return { unreadable: text };
  return Object.fromEntries(parts.map((part, index) => [`policy${index}`, part.text]));
}

function summary(decision: string, reasons: readonly string[], errors: readonly string[]): string {
  return `${decision} by [${reasons.toSorted()}] errors [${errors.toSorted()}]`;
}

/** Whether JSON text states an integer that a double does not hold exactly. Looks at digits, not at values. */
function holdsInexact(text: string): boolean {
  let found = false;
  JSON.parse(text, (_, value: unknown, context?: { readonly source?: string }) => {
    const source = context?.source ?? '';
    if (typeof value === 'number' && /^-?[0-9]+$/.test(source)) {
      const exact = BigInt(source);
      found ||= exact > 9_007_199_254_740_991n || exact < -9_007_199_254_740_991n;
    }
    return value;
  });
  return found;
}

/** The text of the context of one request, with its integers as they were written. */
function sourceOf(text: string, index: number): string {
  const exact = (_: string, value: unknown, context?: { readonly source?: string }): unknown =>
    typeof value === 'number'
      ? (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(context?.source ?? '0')
      : value;
  const { requests } = JSON.parse(text, exact) as { requests: readonly { context: unknown }[] };
  return JSON.stringify(requests[index]?.context ?? null);
}
