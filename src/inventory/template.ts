/** A route template: whole segments, each a literal or a parameter. It holds for its path and for all below. */
export interface Template {
  readonly text: string;
  readonly segments: readonly Segment[];
  /** Rises with the segments, then with the literals among them: what contains a template ranks below it. */
  readonly rank: number;
}

export type Segment = { readonly literal: string } | { readonly param: string };

const PARAM = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/;

/**
 * Reads `/api/invoices/{invoice}`; `/` alone is the whole host. A fault is returned as text that says what to do: a
 * spelling that other routers read differently (`:id`, `*`, a parameter inside a segment) would be inert here.
 */
export function parseTemplate(text: string): Template | string {
  if (!text.startsWith('/')) return "a template begins with '/'";
  if (text === '/') return template(text, []);
  const segments: Segment[] = [];
  const params = new Set<string>();
  for (const part of text.slice(1).split('/')) {
    const fault = segmentFault(part);
    if (fault !== null) return fault;
    const param = PARAM.exec(part)?.[1];
    if (param === undefined) segments.push({ literal: part });
    else if (params.has(param)) return `the parameter '${param}' stands twice; give each its own name`;
    else segments.push({ param });
    if (param !== undefined) params.add(param);
  }
  return template(text, segments);
}

function template(text: string, segments: readonly Segment[]): Template {
  const literals = segments.filter((segment) => 'literal' in segment).length;
  return { text, segments, rank: segments.length * 4096 + literals };
}

function segmentFault(part: string): string | null {
  if (part === '') return "an empty segment or a trailing '/'; remove it, a template holds with and without one";
  if (part === '.' || part === '..') return 'a dot segment never arrives; write the plain path';
  if (PARAM.test(part)) return null;
  if (/[{}]/.test(part)) return `'${part}' is no whole-segment parameter; write {name}, letters, digits and '_' only`;
  if (part.startsWith(':')) return `'${part}' would be a literal; write {${part.slice(1)}}`;
  if (part.includes('*')) return "'*' is no wildcard here: a template holds for all below; remove it";
  if (part.includes('%')) return "paths are compared decoded; write the character itself instead of '%XX'";
  if (/[\\?#\u0000-\u001f\u007f-\u009f]/.test(part))
    return `'${part}' holds a character that no path can hold; remove it`;
  // Requests for such paths are refused, so the api would be inert.
  const folded = part.normalize('NFKC');
  if (/^\.{0,2};/.test(part) || (folded !== part && /[/\\%;]|^\.{1,2}$/.test(folded)))
    return `'${part}' folds to a separator or a dot segment, and no such path is served; write plain characters`;
  return null;
}

/** Every path that `inner` holds for, `outer` holds for too. True of a template and itself. */
export function contains(outer: Template, inner: Template): boolean {
  return (
    outer.segments.length <= inner.segments.length &&
    outer.segments.every((segment, index) => {
      const other = inner.segments[index];
      return 'param' in segment || (other !== undefined && 'literal' in other && other.literal === segment.literal);
    })
  );
}
