import { addRoute, createRouter, findAllRoutes } from 'rou3';
import type { Template } from './template.ts';

/** Characters that rou3 takes literally both in a template and in a path. */
const PLAIN = /^[A-Za-z0-9_.-]*$/;

/** Finds every template that holds for a path. Values are what the caller put in. */
export class Routes<T> {
  readonly #router = createRouter<T>();

  add(template: Template, value: T): void {
    const parts = template.segments.map((segment, index) =>
      'param' in segment ? `:p${index}` : encode(segment.literal),
    );
    addRoute(this.#router, '', `/${[...parts, '**'].join('/')}`, value);
  }

  /** `segments` of a decoded path, without the trailing empty one. In no particular order. */
  matching(segments: readonly string[]): T[] {
    const path = `/${segments.map(encode).join('/')}`;
    return findAllRoutes(this.#router, '', path, { params: false }).map(({ data }) => data);
  }
}

/**
 * rou3 compares percent-encoded paths and has a pattern syntax of its own; ours are decoded and literal. Both sides go
 * through one injective encoding that leaves nothing special to it.
 */
function encode(segment: string): string {
  if (PLAIN.test(segment)) return segment;
  return encodeURIComponent(segment).replace(
    /[!'()*~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
