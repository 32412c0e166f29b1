import { Fault } from '../../base/fault.ts';
import type { PersonFacts } from '../../identity/person.ts';

/** Beyond it a person has so many groups that the provider should send those of this client alone. */
const MOST_GROUPS = 200;
const MAX_GROUP = 256;
/** OpenID Connect Core section 2. */
const MAX_SUBJECT = 255;
const MOST_METHODS = 16;
const MAX_WORD = 256;
const MAX_NAME = 128;
/** How far the clock of the provider may be ahead. */
const SKEW_MS = 30_000;

type Claims = Readonly<Record<string, unknown>>;

/**
 * The person of an ID token whose signature, `iss`, `aud`, `exp` and `nonce` were verified. What is not of the type that the
 * standard gives it is a Fault, since a group that was passed over might be one that a policy forbids something to.
 * `groupsAt`: the members that lead to the groups.
 */
export function signedInPerson(claims: Claims, groupsAt: readonly string[], nowMs: number): PersonFacts | Fault {
  const { iss, sub, auth_time: signedIn, acr, amr } = claims;
  if (!isWord(iss, 2048)) return new Fault('iss is no text');
  if (!isWord(sub, MAX_SUBJECT)) return new Fault(`sub is no text of 1 to ${MAX_SUBJECT} characters`);
  if (typeof signedIn !== 'number' || !Number.isSafeInteger(signedIn))
    return new Fault('auth_time is missing or no whole number: the provider has to say when the person signed in');
  if (signedIn * 1000 > nowMs + SKEW_MS) return new Fault('auth_time lies in the future');
  if (acr !== undefined && !isWord(acr, MAX_WORD)) return new Fault('acr is no text');
  const methods = amr === undefined ? [] : words(amr, MOST_METHODS, MAX_WORD);
  if (methods === null) return new Fault(`amr is no list of at most ${MOST_METHODS} texts`);
  const groups = groupsOf(claims, groupsAt);
  if (groups instanceof Fault) return groups;
  const signedInMs = Math.min(signedIn * 1000, nowMs);
  return { issuer: iss, subject: sub, groups, acr: acr ?? null, amr: methods, signedInMs, name: nameOf(claims) };
}

function groupsOf(claims: Claims, at: readonly string[]): readonly string[] | Fault {
  const where = at.join('/');
  // OpenID Connect Core section 5.6.2: the claim is elsewhere. Providers write this where there are too many groups.
  const elsewhere = claims._claim_names;
  if (isObject(elsewhere) && Object.hasOwn(elsewhere, at[0] ?? ''))
    return new Fault(
      `${where} is not in the ID token but elsewhere: have the provider send only the groups of this client`,
    );
  let value: unknown = claims;
  for (const step of at) value = isObject(value) && Object.hasOwn(value, step) ? value[step] : undefined;
  if (value === undefined) return [];
  if (Array.isArray(value) && value.length > MOST_GROUPS)
    return new Fault(`${where} has more than ${MOST_GROUPS} groups: have the provider send only those of this client`);
  const groups = words(value, MOST_GROUPS, MAX_GROUP);
  return groups ?? new Fault(`${where} is no list of texts of 1 to ${MAX_GROUP} characters`);
}

function nameOf({ name, preferred_username: username }: Claims): string | null {
  const [first] = [name, username].filter((value) => typeof value === 'string' && value !== '');
  return typeof first === 'string' && first.isWellFormed() ? first.slice(0, MAX_NAME) : null;
}

const words = (value: unknown, most: number, length: number): readonly string[] | null =>
  Array.isArray(value) && value.length <= most && value.every((each) => isWord(each, length))
    ? [...new Set(value as string[])]
    : null;

const isWord = (value: unknown, most: number): value is string =>
  typeof value === 'string' && value !== '' && value.length <= most && value.isWellFormed();

const isObject = (value: unknown): value is Claims =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
