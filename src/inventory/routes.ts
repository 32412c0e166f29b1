import { addRoute, createRouter, findAllRoutes } from 'rou3';
import type { Template } from './template.ts';

/** Characters that rou3 takes literally both in a template and in a path. */
const PLAIN = /^[A-Za-z0-9_.-]*$/;

/** Finds every template that holds for a path. Values are what the caller put in. */
export class Routes<T> {
  readonly #router = createRouter<T>();
  readonly #fold: (segment: string) => string;
  /** Segments of the longest template: what stands below them in a path decides nothing. */
  #depth = 0;

  /** Literals and paths are compared as `fold` leaves them. */
  constructor(fold: (segment: string) => string = (segment) => segment) {
    this.#fold = fold;
  }

  add(template: Template, value: T): void {
    this.#depth = Math.max(this.#depth, template.segments.length);
    const parts = template.segments.map((segment, index) =>
      'param' in segment ? `:p${index}` : encode(this.#fold(segment.literal)),
    );
    addRoute(this.#router, '', `/${[...parts, '**'].join('/')}`, value);
  }

  /** `segments` of a decoded path, without the trailing empty one. In no particular order. */
  matching(segments: readonly string[]): T[] {
    const parts = segments.slice(0, this.#depth).map((segment) => encode(this.#fold(segment)));
    return findAllRoutes(this.#router, '', `/${parts.join('/')}`, { params: false }).map(({ data }) => data);
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
