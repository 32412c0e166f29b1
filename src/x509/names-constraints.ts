import { fail } from '../base/fault.ts';
import { Refusal } from '../base/outcome.ts';
import { isHostName } from '../http/host.ts';
import { DerReader, tags } from './der.ts';
import { type Form, forms, type GeneralName, readGeneralName } from './names.ts';

/** A certificate with more constraints is refused: matching costs names times constraints. */
const MAX_CONSTRAINTS = 64;
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
const DOTTED_QUAD = /^\d+\.\d+\.\d+\.\d+$/;
const AUTHORITY = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^@:/?#]*)(?::\d*)?(?:[/?#]|$)/;

/** One base of a subtree. DNS and URI hosts are lower case. */
interface Base {
  readonly form: Form;
  readonly host: string;
  readonly octets: Uint8Array;
}

/** The NameConstraints extension of one certificate (RFC 5280 section 4.2.1.10). */
export interface NameConstraints {
  readonly permitted: readonly Base[];
  readonly excluded: readonly Base[];
}

/** The names of one certificate to which constraints apply. */
export interface CertificateNames {
  readonly names: readonly GeneralName[];
  readonly subject: { readonly empty: boolean; readonly email: boolean };
}

/**
 * NameConstraints with at least one subtree in each list that is there. A base that is malformed matches nothing, so
 * that excluding it would exclude nothing: it is a fault, not a constraint. `minimum` and `maximum` are faults.
 */
export function readNameConstraints(value: Uint8Array): NameConstraints {
  const lists = DerReader.inside(value, tags.sequence, 'the name constraints');
  if (lists.next === null) fail('the name constraints are empty');
  const permitted = readSubtrees(lists.enterIf(PERMITTED, 'the permitted names'));
  const excluded = readSubtrees(lists.enterIf(EXCLUDED, 'the excluded names'));
  lists.end('the name constraints');
  if (permitted.length + excluded.length > MAX_CONSTRAINTS) fail(`there are more than ${MAX_CONSTRAINTS} constraints`);
  return { permitted, excluded };
}

function readSubtrees(list: DerReader | null): readonly Base[] {
  if (list === null) return [];
  if (list.next === null) fail('a list of name constraints is empty');
  const bases: Base[] = [];
  while (list.next !== null) {
    const subtree = list.enter(tags.sequence, 'a name constraint');
    const name = readGeneralName(subtree);
    subtree.end('the base of a name constraint');
    bases.push(readBase(name));
  }
  return bases;
}

function readBase({ form, text, octets }: GeneralName): Base {
  const host = text.toLowerCase();
  if (form === forms.dns && host !== '' && !isHostName(host)) fail('a DNS constraint is no host name');
  if (form === forms.uri && !isHostName(host.startsWith('.') ? host.slice(1) : host))
    fail('a URI constraint is no host name');
  if (form === forms.ip && !isNetwork(octets)) fail('an IP constraint is no network');
  if (form === forms.email && !isHostName(host.replace(/^\.|^[^@]+@/, '')))
    fail('an e-mail constraint is no mailbox or host');
  return { form, host, octets };
}

/**
 * Null, or why these names lie outside the constraints (RFC 5280 section 6.1.4 (g) with 6.1.3 (b) and (c)): a name is
 * refused when it lies in an excluded subtree of its form, or when its form has permitted subtrees and it lies in none.
 * E-mail, directory and other forms are not matched here: where they are constrained, a certificate that has such a
 * name is refused, as RFC 5280 section 4.2.1.10 asks of whoever does not process them.
 */
export function checkNameConstraints(
  { permitted, excluded }: NameConstraints,
  named: CertificateNames,
): Refusal | null {
  for (const form of new Set([...permitted, ...excluded].map((base) => base.form))) {
    const names = named.names.filter((name) => name.form === form);
    const matcher = matchers.get(form);
    if (matcher === undefined) {
      if (names.length > 0 || inSubject(form, named))
        return refuse(`it has names of form ${form}, whose constraints are not read`);
      continue;
    }
    const allowed = permitted.filter((base) => base.form === form);
    const denied = excluded.filter((base) => base.form === form);
    for (const name of names) {
      const subject = matcher(name);
      if (subject === null) return refuse('it has a constrained name that is malformed');
      if (denied.some((base) => subject.overlaps(base))) return refuse('it has a name that is excluded');
      if (allowed.length > 0 && !allowed.some((base) => subject.within(base)))
        return refuse('it has a name that is not permitted');
    }
  }
  return null;
}

/** The subject counts as a directory name, and its emailAddress as an e-mail name. */
function inSubject(form: Form, { subject }: CertificateNames): boolean {
  return (form === forms.directory && !subject.empty) || (form === forms.email && subject.email);
}

/** A name that can be compared: it lies wholly `within` a subtree, or `overlaps` with it at least in part. */
interface Comparable {
  within(base: Base): boolean;
  overlaps(base: Base): boolean;
}

/** How names of a form are compared; a malformed name gives null. */
const matchers: ReadonlyMap<Form, (name: GeneralName) => Comparable | null> = new Map([
  [forms.dns, dns],
  [forms.uri, uri],
  [forms.ip, ip],
]);

/**
 * A DNS name lies in the subtree of its own name and of every name that labels were added to on the left. A wildcard is
 * within a subtree when the name below the asterisk is; it overlaps also with subtrees that begin below that name.
 */
function dns({ text }: GeneralName): Comparable | null {
  const wildcard = text.startsWith('*.');
  const host = (wildcard ? text.slice(2) : text).toLowerCase();
  if (!isHostName(host)) return null;
  const within = (base: Base) => base.host === '' || host === base.host || host.endsWith(`.${base.host}`);
  return { within, overlaps: (base) => within(base) || (wildcard && base.host.endsWith(`.${host}`)) };
}

/** A URI must name a host, not an address. A base that begins with a dot holds sub-domains, any other that host alone. */
function uri({ text }: GeneralName): Comparable | null {
  const host = AUTHORITY.exec(text)?.[1]?.toLowerCase();
  if (host === undefined || !isHostName(host) || DOTTED_QUAD.test(host)) return null;
  const within = (base: Base) => (base.host.startsWith('.') ? host.endsWith(base.host) : host === base.host);
  return { within, overlaps: within };
}

/** The base is an address and a mask of the same length; IPv4 and IPv6 never match one another. */
function ip({ octets }: GeneralName): Comparable {
  const size = octets.length;
  const within = (base: Base) =>
    base.octets.length === size * 2 &&
    octets.every((octet, i) => ((octet ^ base.octets[i]!) & base.octets[size + i]!) === 0);
  return { within, overlaps: within };
}

/** An address and a mask whose set bits all stand at the front. */
function isNetwork(octets: Uint8Array): boolean {
  if (octets.length !== 8 && octets.length !== 32) return false;
  const mask = octets.subarray(octets.length / 2);
  return /^1*0*$/.test([...mask].map((octet) => octet.toString(2).padStart(8, '0')).join(''));
}

function refuse(detail: string): Refusal {
  return new Refusal('identity_svid_name_constraints', detail);
}
