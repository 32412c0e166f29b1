import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../../source/problem.ts';
import type { Cedar, CedarFault } from '../decide/engine.ts';
import { type ActionGroups, groupsOf } from '../decide/project.ts';
import { offsetOfByte, problemAt, type SourceFile } from '../text/source-file.ts';
import { stringValue, tokenize } from '../text/tokens.ts';

const OURS = 'Mesh';
/** Namespaces that only this product declares. */
const RESERVED: ReadonlySet<string> = new Set([OURS, 'Control']);
const DECLARATIONS: ReadonlySet<string> = new Set(['entity', 'type', 'action']);
const OPENING: ReadonlySet<string> = new Set(['{', '<', '[', '(']);
const CLOSING: ReadonlySet<string> = new Set(['}', '>', ']', ')']);
/** Nesting of a schema; thousands of levels kill an instance. */
const MAX_DEPTH = 32;

/** The schema that policies are written against, as one text, with the groups of its actions. */
export interface JoinedSchema {
  readonly text: string;
  readonly groups: ActionGroups;
}

/**
 * The schema that policies are written against: ours, with the namespaces that operators add. Theirs may declare types and
 * actions of their own and point at ours; they may not declare anything in ours, nor in the empty namespace (whose names
 * would hide built-in types from ours), nor put their actions into our groups.
 */
export function joinSchemas(cedar: Cedar, ours: SourceFile, theirs: readonly SourceFile[]): JoinedSchema | Problem[] {
  const problems = theirs.flatMap(shapeProblems);
  if (problems.length > 0) return problems;
  const joined = [ours, ...theirs].map((file) => file.text).join('\n');
  const before = cedar.schemaToJsonWithResolvedTypes(ours.text);
  const after = theirs.length === 0 ? before : cedar.schemaToJsonWithResolvedTypes(joined);
  if (before.type === 'failure') return before.errors.map((fault) => schemaProblem(ours, [], fault));
  if (after.type === 'failure') return after.errors.map((fault) => schemaProblem(ours, theirs, fault));
  // What only a whole schema shows: a circle of actions, an enum with parents.
  const whole = cedar.checkParseSchema(joined);
  if (whole.type === 'failure') return whole.errors.map((fault) => schemaProblem(ours, theirs, fault));
  for (const [name, namespace] of Object.entries(after.json)) {
    if (name === OURS) continue;
    for (const [action, { memberOf = [] }] of Object.entries(namespace.actions)) {
      const group = memberOf.find((parent) => parent.type?.startsWith(`${OURS}::`) === true);
      if (group === undefined) continue;
      const message = `the action ${action} joins ${group.type}::"${group.id}"; our groups are closed`;
      const [file, offset] = placeOfAction(theirs, name, action) ?? [theirs[0] ?? ours, 0];
      problems.push(problemAt(file, offset, message));
    }
  }
  if (!isDeepStrictEqual(before.json[OURS], after.json[OURS])) {
    problems.push(...theirs.map((file) => problemAt(file, 0, `changes what ${OURS} means; rename its types`)));
  }
  return problems.length > 0 ? problems : { text: joined, groups: groupsOf(after.json) };
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
    } else if (text === 'namespace' && RESERVED.has(tokens[index + 1]?.text ?? '')) {
      const name = tokens[index + 1]?.text;
      problems.push(
        problemAt(file, start, `the namespace ${name} is this product's contract; put your types into one of your own`),
      );
    }
  }
  return problems;
}

/** Where the action is declared, whichever way its name is spelt there; null when no file declares it. */
function placeOfAction(files: readonly SourceFile[], namespace: string, action: string): [SourceFile, number] | null {
  for (const file of files) {
    const tokens = tokenize(file.text);
    if ('message' in tokens) continue;
    const nameAt = (at: number): string => {
      const end = tokens.findIndex(({ text }, i) => i > at && text === '{');
      return tokens
        .slice(at, end)
        .map(({ text }) => text)
        .join('');
    };
    const opening = tokens.findIndex(({ text }, at) => text === 'namespace' && nameAt(at + 1) === namespace);
    const token = tokens.find(
      (one, at) => opening !== -1 && at >= opening && (one.kind === 'string' ? stringValue(one) : one.text) === action,
    );
    if (token !== undefined) return [file, token.start];
  }
  return null;
}

/** A place in the joined text lies in one of its parts. A fault without a place is theirs: ours alone has none. */
function schemaProblem(ours: SourceFile, theirs: readonly SourceFile[], fault: CedarFault): Problem {
  const message = fault.help === null ? fault.message : `${fault.message}; ${fault.help}`;
  let byte = fault.sourceLocations?.[0]?.start;
  if (byte === undefined) return problemAt(theirs[0] ?? ours, 0, message);
  for (const file of [ours, ...theirs]) {
    const length = Buffer.byteLength(file.text) + 1;
    if (byte < length) return problemAt(file, offsetOfByte(file.text, byte), message);
    byte -= length;
  }
  return problemAt(ours, 0, message);
}
