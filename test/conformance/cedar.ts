import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuthorizationCall, Entity } from '../../src/policy/decide/call.ts';
import { Engine, type EngineAnswer } from '../../src/policy/decide/engine.ts';
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
  const passed = tally.decided + tally.refused;
  return { passed, failures: tally.failures, excepted: 0, note: `${tally.decided} decided, ${tally.refused} refused` };
}

class Tally {
  readonly failures: string[] = [];
  decided = 0;
  refused = 0;
  readonly #engine = new Engine();

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
    const inexactEntities = holdsInexact(entitiesText);
    const inexact = holdsInexact(text);
    for (const [index, request] of test.requests.entries()) {
      const { principal, action, resource, context } = request;
      const answer = this.#engine.ask(program, { principal, action, resource, context, entities });
      const mustRefuse = inexactEntities || (inexact && holdsInexact(sourceOf(text, index)));
      this.#count(`${name}[${index}]`, request, answer, mustRefuse);
    }
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
