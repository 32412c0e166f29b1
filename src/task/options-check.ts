import type { TaskIssuer, TaskRules } from './options.ts';

const MIN_SECRET_BYTES = 32;

/**
 * What is wrong with the options; empty when nothing is. An empty list or text is never "any": with one, nothing could
 * be accepted, and a sidecar that starts so would only look healthy.
 */
export function taskOptionProblems(options: TaskRules): readonly string[] {
  const { dpop, wimse, headers, maxDepth } = options;
  const checks: readonly (readonly [boolean, string])[] = [
    [headers !== null && headers.id === headers.purpose, 'id and purpose are declared in one header'],
    [!(Number.isSafeInteger(maxDepth) && maxDepth > 0), 'maxDepth is no positive integer'],
    [dpop.algorithms.length === 0, 'dpop: algorithms is empty'],
    [!positive(dpop.maxAgeSeconds), 'dpop: maxAge is no positive number of seconds'],
    [!positive(dpop.nonce.lifetimeSeconds), 'dpop: the lifetime of nonces is no positive number of seconds'],
    [dpop.nonce.secret.length < MIN_SECRET_BYTES, `dpop: the nonce secret is shorter than ${MIN_SECRET_BYTES} bytes`],
    [wimse?.algorithms.length === 0, 'wimse: algorithms is empty'],
    [
      wimse !== null && !positive(wimse.maxWitLifetimeSeconds),
      'wimse: maxWitLifetime is no positive number of seconds',
    ],
    [
      wimse !== null && !positive(wimse.maxProofLifetimeSeconds),
      'wimse: maxProofLifetime is no positive number of seconds',
    ],
    ...options.issuers.flatMap(issuerChecks),
    ...doubles(options.issuers).map((name) => [true, `${name} stands there twice`] as const),
  ];
  return checks.filter(([wrong]) => wrong).map(([, problem]) => problem);
}

function issuerChecks(issuer: TaskIssuer): readonly (readonly [boolean, string])[] {
  const name = issuer.kind === 'jwt-svid' ? 'jwt-svid' : `${issuer.kind} ${issuer.issuer}`;
  const common = [
    [emptyList(issuer.trustDomains), `${name}: trustDomains is empty or holds an empty text`],
    [emptyList(issuer.purposes), `${name}: purposes is empty or holds an empty text`],
    [!positive(issuer.maxLifetimeSeconds), `${name}: maxLifetime is no positive number of seconds`],
    [issuer.kind !== 'txn-token' && issuer.idClaim.length === 0, `${name}: idClaim is empty`],
    [issuer.purposeClaim?.length === 0, `${name}: purposeClaim is empty`],
  ] as const;
  if (issuer.kind === 'jwt-svid') return common;
  return [
    ...common,
    [issuer.issuer === '', `${name}: issuer is empty`],
    [issuer.algorithms.length === 0, `${name}: algorithms is empty`],
    [issuer.kind === 'txn-token' && issuer.audience === '', `${name}: audience is empty`],
  ];
}

/** Two entries for one token: which of them holds would be a matter of order. */
function doubles(issuers: readonly TaskIssuer[]): readonly string[] {
  const names = issuers.flatMap((issuer) =>
    issuer.kind === 'jwt-svid'
      ? issuer.trustDomains.map((domain) => `jwt-svid ${domain}`)
      : [`${issuer.kind} ${issuer.issuer}`],
  );
  return [...new Set(names.filter((name, index) => names.indexOf(name) !== index))];
}

const positive = (value: number): boolean => Number.isFinite(value) && value > 0;

const emptyList = (texts: readonly string[]): boolean => texts.length === 0 || texts.includes('');
