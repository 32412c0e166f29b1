import { Fault } from './fault.ts';
import { Refusal } from './outcome.ts';
import { SpiffeId } from './spiffe-id.ts';

/** Stands for one segment of the path. */
const ANY = '*';
/** `spiffe:`, nothing and the trust domain stand before the path. */
const PATH_AT = 3;

/**
 * The SPIFFE IDs of workloads of one trust domain, written as an id in which a segment `*` stands for exactly one segment
 * of the path. The trust domain is always written out. Nothing but `SpiffePattern.parse` can make one.
 */
export class SpiffePattern {
  readonly text: string;
  readonly trustDomain: string;
  readonly #segments: readonly string[];

  private constructor(text: string, trustDomain: string, segments: readonly string[]) {
    this.text = text;
    this.trustDomain = trustDomain;
    this.#segments = segments;
    Object.freeze(this);
  }

  /** The pattern, or what is wrong with it and what to write. Without `*` it is the SPIFFE ID of one workload. */
  static parse(text: string): SpiffePattern | Fault {
    const segments = text.split('/');
    const domain = segments[PATH_AT - 1] ?? '';
    if (domain.includes(ANY))
      return new Fault("holds '*' in its trust domain; write the trust domain out, '*' is for segments of the path");
    const starred = segments.filter((segment) => segment.includes(ANY) && segment !== ANY);
    if (starred.some((segment) => segment.replaceAll(ANY, '') === ''))
      return new Fault("holds '**'; write one '*' for each segment, as in spiffe://prod.example/ns/*/sa/envoy");
    if (starred.length > 0)
      return new Fault(
        "holds '*' inside a segment; '*' stands for a whole one, as in spiffe://prod.example/ns/*/sa/envoy",
      );
    const id = SpiffeId.parse(segments.map((segment) => (segment === ANY ? 'any' : segment)).join('/'));
    if (id instanceof Refusal) return new Fault(`is not a SPIFFE ID (${id.detail})`);
    if (id.path === '') return new Fault('names a whole trust domain; write the SPIFFE ID of a workload');
    return new SpiffePattern(text, id.trustDomain, segments);
  }

  /** Whether it stands for this workload. */
  matches(id: SpiffeId): boolean {
    const segments = id.text.split('/');
    return (
      segments.length === this.#segments.length &&
      this.#segments.every((segment, at) => segment === ANY || segment === segments[at])
    );
  }
}
