import type { TaskIssuer, TaskRules } from './options.ts';

const MIN_SECRET_BYTES = 32;

/**
 * What is wrong with the options; empty when nothing is. An empty list or text is never "any": with one, nothing could
 * be accepted, and a sidecar that starts so would only look healthy.
 */
export function taskOptionProblems({ dpop, wimse, headers, maxDepth, issuers }: TaskRules): readonly string[] {
  const problems: string[] = [];
  const check = (sound: boolean, problem: string) => (sound ? undefined : problems.push(problem));
  const positive = (seconds: number, what: string) =>
    check(Number.isFinite(seconds) && seconds > 0, `${what} is no positive number of seconds`);
  check(headers === null || headers.id !== headers.purpose, 'id and purpose are declared in one header');
  check(Number.isSafeInteger(maxDepth) && maxDepth > 0, 'maxDepth is no positive integer');
  check(dpop.algorithms.length > 0, 'dpop: algorithms is empty');
  positive(dpop.maxAgeSeconds, 'dpop: maxAge');
  positive(dpop.nonce.lifetimeSeconds, 'dpop: the lifetime of nonces');
  const short = `dpop: the nonce secret is shorter than ${MIN_SECRET_BYTES} bytes`;
  check(
    dpop.nonce.secrets().every(({ length }) => length >= MIN_SECRET_BYTES),
    short,
  );
  if (wimse !== null) {
    check(wimse.algorithms.length > 0, 'wimse: algorithms is empty');
    positive(wimse.maxWitLifetimeSeconds, 'wimse: maxWitLifetime');
    positive(wimse.maxProofLifetimeSeconds, 'wimse: maxProofLifetime');
  }
  for (const issuer of issuers) {
    const name = issuer.kind === 'jwt-svid' ? 'jwt-svid' : `${issuer.kind} ${issuer.issuer}`;
    for (const list of ['trustDomains', 'purposes'] as const)
      check(isSound(issuer[list]), `${name}: ${list} is empty or holds an empty text`);
    positive(issuer.maxLifetimeSeconds, `${name}: maxLifetime`);
    for (const [key, value] of Object.entries(issuer))
      if (MAY_NOT_BE_EMPTY.has(key)) check(value === null || value.length > 0, `${name}: ${key} is empty`);
  }
  for (const name of doubles(issuers)) check(false, `${name} stands there twice`);
  return problems;
}

const isSound = (list: readonly string[] | null): boolean => list === null || (list.length > 0 && !list.includes(''));

const MAY_NOT_BE_EMPTY: ReadonlySet<string> = new Set(['idClaim', 'purposeClaim', 'issuer', 'algorithms', 'audience']);

/** Two entries for one token: which of them holds would be a matter of order. */
function doubles(issuers: readonly TaskIssuer[]): ReadonlySet<string> {
  const names = issuers.flatMap((issuer) =>
    issuer.kind === 'jwt-svid'
      ? issuer.trustDomains.map((domain) => `jwt-svid ${domain}`)
      : [`${issuer.kind} ${issuer.issuer}`],
  );
  return new Set(names.filter((name, index) => names.indexOf(name) !== index));
}
