import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../../inventory/problem.ts';
import type { Cedar, CedarFault } from '../engine.ts';
import { offsetOfByte, problemAt, type SourceFile } from '../place.ts';
import { tokenize } from '../tokens.ts';

/** Nesting of a schema; thousands of levels kill an instance. */
const MAX_DEPTH = 32;

/**
 * The schema that policies are written against: ours, with the namespaces that operators add. Theirs may declare types and
 * actions of their own and point at ours; they may not declare anything in ours, nor in the empty namespace (whose names
 * would hide built-in types from ours), nor put their actions into our groups.
 */
export function joinSchemas(cedar: Cedar, ours: SourceFile, theirs: readonly SourceFile[]): string | Problem[] {
  const problems = theirs.flatMap((file) => ownProblems(cedar, file));
  if (problems.length > 0) return problems;
  const joined = [ours, ...theirs].map((file) => file.text).join('\n');
  const before = cedar.schemaToJsonWithResolvedTypes(ours.text);
  const after = cedar.schemaToJsonWithResolvedTypes(joined);
  if (before.type === 'failure') return before.errors.map((fault) => schemaProblem(ours, fault));
  if (after.type === 'failure') return after.errors.map((fault) => joinedProblem(ours, theirs, fault));
  if (!isDeepStrictEqual(before.json.Mesh, after.json.Mesh)) {
    return theirs.map((file) =>
      problemAt(file, 0, 'changes what a name of the Mesh namespace means; rename its types'),
    );
  }
  return joined;
}

function ownProblems(cedar: Cedar, file: SourceFile): Problem[] {
  const tokens = tokenize(file.text);
  if ('message' in tokens) return [problemAt(file, tokens.offset, tokens.message)];
  let depth = 0;
  for (const { text, start } of tokens) {
    if (['{', '<', '[', '('].includes(text) && ++depth > MAX_DEPTH)
      return [problemAt(file, start, `nested deeper than ${MAX_DEPTH} brackets; name the inner types`)];
    if (['}', '>', ']', ')'].includes(text)) depth--;
  }
  const parsed = cedar.schemaToJson(file.text);
  if (parsed.type === 'failure') return parsed.errors.map((fault) => schemaProblem(file, fault));
  const at = (word: string, message: string): Problem =>
    problemAt(
      file,
      tokens.find((token) => token.text === word || token.text === JSON.stringify(word))?.start ?? 0,
      message,
    );
  const problems: Problem[] = [];
  for (const [name, namespace] of Object.entries(parsed.json)) {
    if (name === '') {
      problems.push(
        problemAt(file, tokens[0]?.start ?? 0, 'declares names outside a namespace; put them into one of your own'),
      );
    } else if (name === 'Mesh' || name.startsWith('Mesh::')) {
      problems.push(
        at('namespace', `the namespace ${name} is this product's contract; put your types into one of your own`),
      );
    }
    for (const [action, declaration] of Object.entries(namespace.actions)) {
      const group = declaration.memberOf?.find((parent) => parent.type?.startsWith('Mesh::') === true);
      if (group !== undefined)
        problems.push(at(action, `the action ${action} joins ${group.type}::"${group.id}"; our groups are closed`));
    }
  }
  return problems;
}

function schemaProblem(file: SourceFile, fault: CedarFault): Problem {
  const location = fault.sourceLocations?.[0];
  const message = fault.help === null ? fault.message : `${fault.message}; ${fault.help}`;
  return problemAt(file, location === undefined ? 0 : offsetOfByte(file.text, location.start), message);
}

/** A place in the joined text lies in one of its parts. */
function joinedProblem(ours: SourceFile, theirs: readonly SourceFile[], fault: CedarFault): Problem {
  let byte = fault.sourceLocations?.[0]?.start ?? 0;
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
