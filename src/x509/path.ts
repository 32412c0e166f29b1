import { Refusal } from '../base/outcome.ts';
import { verifies } from './algorithms.ts';
import type { Certificate } from './certificate.ts';
import { extendedKeyUsages, keyUsages } from './certificate-extensions.ts';
import { sameBytes } from './der.ts';
import { checkNameConstraints } from './names-constraints.ts';

/** Signature checks of one search, besides one for each trust anchor. A client chooses what is searched through. */
const MAX_SIGNATURE_CHECKS = 16;
/** What they may cost together, counted in checks on P-256, besides one for each trust anchor: two on P-521, about 2 ms. */
const MAX_COST = 44;
/** Intermediates of one path that are not self-issued. */
const MAX_DEPTH = 8;

/** What the leaf is used for: every certificate of a path that states extended key usages must state this one, or any. */
export type Usage = 'client' | 'server';

export interface PathOptions {
  readonly usage: Usage;
  /** The most intermediates that are not self-issued; default 8. */
  readonly maxDepth?: number;
}

/** The leaf, its intermediates, and the trust anchor that the path ends in. */
export type Path = readonly [leaf: Certificate, ...Certificate[]];

/**
 * A certification path from `leaf` to one of `anchors` that is valid at `now` (milliseconds; floored to the second, both
 * ends of every validity inclusive), by RFC 5280 section 6.1 without policies and revocation lists, and with the anchors
 * checked like every other issuer. `candidates` are intermediates in any order, wanted or not; key identifiers order
 * them and exclude none. The search visits no entity twice and ends at a budget of signature
 * checks, in number and in cost.
 *
 * The refusal is the fault that was met furthest from the leaf: `identity_svid_expired`, `…_not_yet_valid`,
 * `…_critical_extension`, `…_extended_key_usage` and `…_algorithm` say what is wrong with the leaf; `…_issuer_unknown`,
 * `…_issuer_invalid`, `…_issuer_expired`, `…_signature`, `…_path_length`, `…_name_constraints` and `…_path_budget` what
 * is wrong above it.
 */
export function validatePath(
  leaf: Certificate,
  candidates: readonly Certificate[],
  anchors: readonly Certificate[],
  now: number,
  options: PathOptions,
): Path | Refusal {
  const seconds = Math.floor(now / 1000);
  // Written so that a clock without a number refuses: every comparison with NaN is false.
  if (!(seconds <= leaf.notAfter)) return refuse('expired', `it ended at ${leaf.notAfter}`);
  if (!(seconds >= leaf.notBefore)) return refuse('not_yet_valid', `it begins at ${leaf.notBefore}`);
  const { unknownCritical } = leaf.extensions;
  if (unknownCritical !== null) return refuse('critical_extension', `the extension ${unknownCritical}`);
  if (!servesUsage(leaf, options.usage)) return refuse('extended_key_usage', `not for a ${options.usage}`);
  if (leaf.algorithm === null) return refuse('algorithm', 'it is signed with an algorithm that is not accepted');
  const { usage, maxDepth = MAX_DEPTH } = options;
  return new Search({ candidates, anchors, seconds, usage, maxDepth }).from(leaf);
}

/** What one search goes through, and what holds for it. */
interface SearchSpace extends Required<PathOptions> {
  readonly candidates: readonly Certificate[];
  readonly anchors: readonly Certificate[];
  readonly seconds: number;
}

class Search {
  readonly #space: SearchSpace;
  #checksLeft: number;
  #costLeft: number;
  #deepest = 0;
  #fault: Refusal = refuse('issuer_unknown', 'no certificate of its issuer is known');

  constructor(space: SearchSpace) {
    this.#space = space;
    this.#checksLeft = MAX_SIGNATURE_CHECKS + space.anchors.length;
    this.#costLeft = space.anchors.reduce((cost, anchor) => cost + anchor.checkCost, MAX_COST);
  }

  from(leaf: Certificate): Path | Refusal {
    return this.#extend([leaf]) ?? this.#fault;
  }

  /** The path completed to an anchor, or null when that cannot be; depth first. */
  #extend(path: Path): Path | null {
    for (const issuer of this.#issuersOf(path.at(-1)!)) {
      if (path.slice(1).some((above) => sameEntity(above, issuer))) continue;
      const anchor = this.#space.anchors.includes(issuer);
      const fault = this.#checkIssuer(issuer, path, anchor);
      if (fault !== null) {
        this.#note(fault, path.length);
        continue;
      }
      const longer: Path = [...path, issuer];
      const whole = anchor ? longer : this.#extend(longer);
      if (whole !== null) return whole;
      this.#note(refuse('issuer_unknown', 'its path ends before a trust anchor'), path.length + 1);
    }
    return null;
  }

  /** Certificates of the issuer's name: those that the key identifiers point at first, anchors before others. */
  #issuersOf(child: Certificate): readonly Certificate[] {
    const named = [...this.#space.anchors, ...this.#space.candidates].filter(({ subject }) =>
      sameBytes(subject.der, child.issuer.der),
    );
    const wanted = child.extensions.authorityKeyId;
    const points = ({ extensions: { subjectKeyId } }: Certificate) =>
      wanted !== null && subjectKeyId !== null && sameBytes(wanted, subjectKeyId);
    return [...named.filter(points), ...named.filter((issuer) => !points(issuer))];
  }

  /** Null when `issuer` may stand above `path` and signed its last certificate. What costs most comes last. */
  #checkIssuer(issuer: Certificate, path: Path, anchor: boolean): Refusal | null {
    const { seconds, usage, maxDepth } = this.#space;
    const { basicConstraints, keyUsage, nameConstraints, unknownCritical } = issuer.extensions;
    if (unknownCritical !== null)
      return refuse('issuer_invalid', `the critical extension ${unknownCritical} is unknown`);
    if (!basicConstraints?.ca) return refuse('issuer_invalid', 'its issuer is no certificate authority');
    if (!basicConstraints.critical)
      return refuse('issuer_invalid', 'the basic constraints of its issuer are not critical');
    if (keyUsage !== null && !keyUsage.bits.has(keyUsages.keyCertSign))
      return refuse('issuer_invalid', 'its issuer may not sign certificates');
    if (!servesUsage(issuer, usage)) return refuse('issuer_invalid', `its issuer is not for a ${usage}`);
    if (seconds < issuer.notBefore || seconds > issuer.notAfter)
      return refuse('issuer_expired', 'a certificate of its path has ended or not begun');

    const below = path.slice(1).filter((certificate) => !certificate.selfIssued).length;
    if (below > (basicConstraints.pathLength ?? Infinity))
      return refuse('path_length', 'the path is longer than an issuer allows');
    if (below + (anchor || issuer.selfIssued ? 0 : 1) > maxDepth)
      return refuse('path_length', `the path has more than ${maxDepth} intermediates`);

    if (this.#checksLeft === 0 || this.#costLeft < issuer.checkCost) {
      this.#note(refuse('path_budget', 'the search for a path takes too many signature checks'), Infinity);
      return this.#fault;
    }
    this.#checksLeft--;
    this.#costLeft -= issuer.checkCost;
    const child = path.at(-1)!;
    if (child.algorithm === null)
      return refuse('issuer_invalid', 'an issuer is signed with an algorithm that is not accepted');
    if (issuer.key === null) return refuse('issuer_invalid', 'the key of its issuer is broken');
    if (!verifies(child.algorithm, issuer.key, child.signed, child.signature))
      return refuse('signature', 'a signature does not verify with the key of its issuer');
    // After the signature: a client can send any number of names and constraints, but not signed ones.
    return nameConstraints === null ? null : checkNames(nameConstraints, path);
  }

  #note(fault: Refusal, depth: number): void {
    if (depth <= this.#deepest) return;
    this.#deepest = depth;
    this.#fault = fault;
  }
}

/** Constraints hold for all certificates below, but not for self-issued ones other than the leaf (RFC 5280 6.1.3 (b)). */
function checkNames(
  constraints: NonNullable<Certificate['extensions']['nameConstraints']>,
  path: Path,
): Refusal | null {
  for (const [i, { selfIssued, subject, extensions }] of path.entries()) {
    const fault = i > 0 && selfIssued ? null : checkNameConstraints(constraints, { names: extensions.names, subject });
    if (fault !== null) return fault;
  }
  return null;
}

function servesUsage({ extensions: { extendedKeyUsage } }: Certificate, usage: Usage): boolean {
  if (extendedKeyUsage === null) return true;
  return extendedKeyUsage.has(extendedKeyUsages[usage]) || extendedKeyUsage.has(extendedKeyUsages.any);
}

/** The same name with the same key: one entity, whoever certified it. */
function sameEntity(a: Certificate, b: Certificate): boolean {
  return sameBytes(a.subject.der, b.subject.der) && sameBytes(a.spki, b.spki);
}

type SvidReason = Refusal['reason'] extends infer R ? (R extends `identity_svid_${infer Rest}` ? Rest : never) : never;

/** A refusal about a certificate, by what follows `identity_svid_` in its reason. */
export function refuse(reason: SvidReason, detail: string): Refusal {
  return new Refusal(`identity_svid_${reason}`, detail);
}
