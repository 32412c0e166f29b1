import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../../source/problem.ts';
import type { Cedar, CedarFault } from '../decide/engine.ts';
import { offsetOfByte, problemAt, type SourceFile } from '../text/source-file.ts';
import { stringValue, tokenize } from '../text/tokens.ts';

const OURS = 'Mesh';
const DECLARATIONS: ReadonlySet<string> = new Set(['entity', 'type', 'action']);
const OPENING: ReadonlySet<string> = new Set(['{', '<', '[', '(']);
const CLOSING: ReadonlySet<string> = new Set(['}', '>', ']', ')']);
/** Nesting of a schema; thousands of levels kill an instance. */
const MAX_DEPTH = 32;

/**
 * The schema that policies are written against: ours, with the namespaces that operators add. Theirs may declare types and
 * actions of their own and point at ours; they may not declare anything in ours, nor in the empty namespace (whose names
 * would hide built-in types from ours), nor put their actions into our groups.
 */
export function joinSchemas(cedar: Cedar, ours: SourceFile, theirs: readonly SourceFile[]): string | Problem[] {
  const problems = theirs.flatMap(shapeProblems);
  if (problems.length > 0) return problems;
  const joined = [ours, ...theirs].map((file) => file.text).join('\n');
  const before = cedar.schemaToJsonWithResolvedTypes(ours.text);
  const after = cedar.schemaToJsonWithResolvedTypes(joined);
  if (before.type === 'failure') return before.errors.map((fault) => schemaProblem(ours, fault));
  if (after.type === 'failure') return after.errors.map((fault) => joinedProblem(ours, theirs, fault));
  // What only a whole schema shows: a circle of actions, an enum with parents.
  const whole = cedar.checkParseSchema(joined);
  if (whole.type === 'failure') return whole.errors.map((fault) => joinedProblem(ours, theirs, fault));
  for (const [name, namespace] of Object.entries(after.json)) {
    if (name === OURS) continue;
    for (const [action, { memberOf = [] }] of Object.entries(namespace.actions)) {
      const group = memberOf.find((parent) => parent.type?.startsWith(`${OURS}::`) === true);
      if (group === undefined) continue;
      const message = `the action ${action} joins ${group.type}::"${group.id}"; our groups are closed`;
      problems.push(actionProblem(theirs, name, action, message) ?? problemAt(theirs[0] ?? ours, 0, message));
    }
  }
  if (!isDeepStrictEqual(before.json[OURS], after.json[OURS])) {
    problems.push(...theirs.map((file) => problemAt(file, 0, `changes what ${OURS} means; rename its types`)));
  }
  return problems.length > 0 ? problems : joined;
}

/** What can be seen without Cedar: only namespaces stand at the top, none of them ours, and nothing is nested deeply. */
function shapeProblems(file: SourceFile): Problem[] {
  const tokens = tokenize(file.text);
  if ('message' in tokens) return [problemAt(file, tokens.offset, tokens.message)];
  const problems: Problem[] = [];
  let depth = 0;
  for (const [index, { text, start }] of tokens.entries()) {
    if (CLOSING.has(text)) depth--;
    else if (OPENING.has(text)) {
      if (++depth > MAX_DEPTH)
        return [problemAt(file, start, `nested deeper than ${MAX_DEPTH} brackets; name the inner types`)];
    } else if (depth > 0) continue;
    else if (DECLARATIONS.has(text) && tokens[index - 1]?.text !== '@') {
      problems.push(problemAt(file, start, 'declares names outside a namespace; put them into one of your own'));
    } else if (text === 'namespace' && tokens[index + 1]?.text === OURS) {
      problems.push(
        problemAt(file, start, `the namespace ${OURS} is this product's contract; put your types into one of your own`),
      );
    }
  }
  return problems;
}

/** A problem where the action is declared, whichever way its name is spelt there; null when no file declares it. */
function actionProblem(
  files: readonly SourceFile[],
  namespace: string,
  action: string,
  message: string,
): Problem | null {
  for (const file of files) {
    const tokens = tokenize(file.text);
    if ('message' in tokens) continue;
    const opening = tokens.findIndex(({ text }, at) => {
      if (text !== 'namespace') return false;
      const name = tokens.slice(
        at + 1,
        tokens.findIndex((token, i) => i > at && token.text === '{'),
      );
      return name.map((token) => token.text).join('') === namespace;
    });
    const token = tokens
      .slice(opening === -1 ? tokens.length : opening)
      .find((candidate) => (candidate.kind === 'string' ? stringValue(candidate) : candidate.text) === action);
    if (token !== undefined) return problemAt(file, token.start, message);
  }
  return null;
}

function schemaProblem(file: SourceFile, fault: CedarFault): Problem {
  const location = fault.sourceLocations?.[0];
  const message = fault.help === null ? fault.message : `${fault.message}; ${fault.help}`;
  return problemAt(file, location === undefined ? 0 : offsetOfByte(file.text, location.start), message);
}

/** A place in the joined text lies in one of its parts. A fault without a place is theirs: ours alone has none. */
function joinedProblem(ours: SourceFile, theirs: readonly SourceFile[], fault: CedarFault): Problem {
  const location = fault.sourceLocations?.[0];
  if (location === undefined) return schemaProblem(theirs[0] ?? ours, fault);
  let byte = location.start;
  for (const file of [ours, ...theirs]) {
    const length = Buffer.byteLength(file.text) + 1;
    if (byte < length) {
      const start = { start: byte, end: byte, label: null };
      return schemaProblem(file, { ...fault, sourceLocations: [start] });
    }
    byte -= length;
  }
  return schemaProblem(ours, { ...fault, sourceLocations: [] });
}
