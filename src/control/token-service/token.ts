import * as z from 'zod';
import { ApiProblem } from '../http/problem.ts';
import { route } from '../http/route.ts';
import { claimsOf, isReadable } from './claims.ts';
import { issue } from './issue.ts';
import { permitted } from './permitted.ts';
import { planOf, unknownIn } from './plan.ts';
import { readTokenRequest, TOKEN_EXCHANGE, tokenType } from './request.ts';

const text = (description: string) => z.string().optional().describe(description);

/** Parameters of RFC 8693 section 2.1 and of draft-ietf-oauth-transaction-tokens; `actor` is of this service. */
const form = z
  .object({
    grant_type: text(`\`${TOKEN_EXCHANGE}\``),
    requested_token_type: text(`\`${tokenType('txn_token')}\``),
    audience: text('The trust domain.'),
    scope: text('Scopes, with spaces between. None that is not asked for is given.'),
    subject_token: text('Whose task it is; or the token that is exchanged, of which the caller is the last actor.'),
    subject_token_type: text(
      `Of a new task \`${tokenType('unsigned_json')}\` (\`{"sub":"the caller’s SPIFFE ID"}\`), \`${tokenType('jwt')}\` or \`${tokenType('id_token')}\`; of an exchange \`${tokenType('txn_token')}\`.`,
    ),
    actor: text('The SPIFFE ID of the workload that shall use the token. Left out: the caller.'),
    request_details: text('JSON: `purpose`, `lifetime`, `lease`, `budgets`, `resources`.'),
  })
  .catchall(z.unknown());

const answer = z.object({
  access_token: z.string().describe('The Transaction Token, for the header `Txn-Token`.'),
  issued_token_type: z.literal(tokenType('txn_token')),
  token_type: z.literal('N_A'),
  expires_in: z.int().describe('Seconds.'),
  scope: z.string(),
  task: z.object({
    key: z.string().describe('Names it in the paths of `/tasks`.'),
    issuer: z.string(),
    id: z.string(),
    ends: z.string().describe('ISO 8601: no refresh goes beyond.'),
    lease: z.int().nullable().describe('Seconds within which the task needs its next heartbeat, which a refresh is.'),
  }),
});

/** `POST /token`: begins a task, hands it on, or gives its holder a fresh token. */
export const tokenRoute = route({
  name: 'token',
  method: 'POST',
  path: '/token',
  summary: 'Begins a task, hands it on, or refreshes its token (RFC 8693)',
  action: 'start',
  parameters: z.strictObject({}),
  body: form,
  answers: { 200: { what: 'A Transaction Token', schema: answer } },
  problems: [
    'token_request_invalid',
    'grant_type_unsupported',
    'scope_exceeded',
    'target_invalid',
    'task_over',
    'certificate_missing',
    'not_found',
    'full',
  ],
  idempotent: false,
  oauth: true,
  subject: () => null,
  prepare: async (call, { tokenService, snapshot }) => {
    const inventory = snapshot()?.inventory;
    if (tokenService === null) return ApiProblem.of('not_found', 'this process has no token service');
    if (inventory === undefined) return ApiProblem.of('policy_unavailable');
    const { caller } = call;
    if (caller === null || !caller.possession) return ApiProblem.of('certificate_missing');
    const asked = { ...call, caller };
    const { client_id: client } = call.body;
    if (client !== undefined && client !== caller.workload.id.text)
      return ApiProblem.of('certificate_missing', 'client_id is not the SPIFFE ID of the certificate');
    const request = readTokenRequest(call.body as Readonly<Record<string, string>>);
    if (request instanceof ApiProblem) return request;
    const plan = await planOf(request, asked, inventory, tokenService);
    if (plan instanceof ApiProblem) return plan;
    const { kind, grant, jti, now } = plan;
    if (!isReadable(claimsOf(grant, { ...tokenService.issuer, jti, now })))
      return ApiProblem.of('token_request_invalid', 'the token would be longer than any reader takes; name less in it');
    const { action, resource, verdict } = permitted(plan, asked, tokenService.issuer.issuer);
    const unknown = verdict.allowed ? unknownIn(inventory, plan) : null;
    if (unknown !== null) return unknown;
    const { id, chain, purpose, scopes, resources, endsAt, expiresAt } = grant;
    const { leaseSeconds, budgets } = request;
    const times = { ends: new Date(endsAt * 1000), expires: new Date(expiresAt * 1000) };
    return {
      about: { grant: kind, task: id, chain, purpose, scopes, resources, leaseSeconds, budgets, ...times, jti },
      action,
      resource,
      verdict,
      run: (nowMs) => issue(plan, { caller, nowMs }, tokenService),
    };
  },
});

/** `GET /keys`: the public keys of the token service, which are no secret. */
export const keysRoute = route({
  name: 'keys',
  method: 'GET',
  path: '/keys',
  summary: 'The public keys of the token service',
  action: 'view',
  parameters: z.strictObject({}),
  body: null,
  answers: {
    200: { what: 'A JWK Set (RFC 7517), for everybody', schema: z.looseObject({ keys: z.array(z.looseObject({})) }) },
  },
  problems: ['not_found', 'state_unavailable'],
  idempotent: false,
  open: ({ tokenService }) => {
    if (tokenService === null) return ApiProblem.of('not_found', 'this process has no token service');
    const keys = tokenService.keys();
    return keys === null
      ? ApiProblem.of('state_unavailable', 'no key could be read')
      : { status: 200, body: keys.jwks };
  },
  subject: () => null,
  prepare: async () => ApiProblem.of('internal'),
});
