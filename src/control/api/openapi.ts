import * as z from 'zod';
import { type ProblemCode, problems } from '../http/problem.ts';
import { type Route, route } from '../http/route.ts';

type Json = Readonly<Record<string, unknown>>;

/** Problems that every route may have, and those of routes with a body or with parameters in the path. */
const COMMON: readonly ProblemCode[] = [
  'malformed',
  'parameters_invalid',
  'not_permitted',
  'cross_site',
  'not_acceptable',
  'timeout',
  'expectation_failed',
  'host_unknown',
  'too_many_requests',
  'headers_too_large',
  'internal',
  'policy_unavailable',
  'audit_unavailable',
  'overloaded',
];
const OF_BODIES: readonly ProblemCode[] = [
  'json_invalid',
  'length_required',
  'too_large',
  'media_type',
  'body_invalid',
  'state_unavailable',
];
const UNPROVEN = 401;

const problemSchema = z.object({
  type: z.string().describe('`urn:cedar-ext-authz:problem:CODE`'),
  title: z.string().describe('The problem in one sentence.'),
  status: z.int(),
  detail: z.string().optional().describe('What is wrong with this request, and what to do.'),
  code: z.string().describe('One of this document, or, where a caller is not believed, of reasons.md.'),
  decision: z.string().describe('The line of the audit about this request.'),
  wrong: z
    .array(z.object({ at: z.string().describe('A JSON pointer; empty for the whole.'), message: z.string() }))
    .optional()
    .describe('Each field that is wrong.'),
});

const oauthSchema = z.object({
  error: z.string().describe('RFC 6749 section 5.2, RFC 8693 section 2.2.2.'),
  error_description: z.string(),
  code: z.string().describe('As of a problem.'),
  decision: z.string().describe('The line of the audit about this request.'),
});

/** The OpenAPI 3.1 document of these routes: made of the schemas that requests are read by. */
export function openApiOf(routes: readonly Route[]): Json {
  const byPath = Map.groupBy(routes, ({ path }) => path);
  const paths = [...byPath].map(([path, here]) => [
    path,
    Object.fromEntries(here.map((each) => [each.method.toLowerCase(), operationOf(each)])),
  ]);
  return {
    openapi: '3.1.1',
    info: {
      title: 'cedar-ext-authz control API',
      version: '1',
      description:
        'What is revoked, decided and known, and who may change it. A caller proves itself by an X.509-SVID on the connection or by a token with the audience `control.audience`; what it may do, control policies decide. Each call is a line of the audit.',
    },
    servers: [{ url: '/' }],
    security: [{ svid: [] }, { token: [] }],
    paths: Object.fromEntries(paths),
    components: {
      securitySchemes: {
        svid: { type: 'mutualTLS', description: 'An X.509-SVID of a workload of the inventory.' },
        token: {
          type: 'http',
          scheme: 'bearer',
          bearerFormat: 'JWT',
          description: 'A JWT-SVID, or a workload token of a configured issuer, for `control.audience`.',
        },
      },
      responses: problemResponses(),
      schemas: { Problem: schemaOf(problemSchema, 'output'), OAuthError: schemaOf(oauthSchema, 'output') },
    },
  };
}

function operationOf({ name, summary, path, parameters, body, answers, idempotent, ...rest }: Route): Json {
  const { oauth = false, open, isStream = false } = rest;
  const replies = Object.entries(answers).map(([status, answer]) => [
    status,
    {
      description: answer!.what,
      headers: DECISION,
      content: {
        [isStream ? 'text/event-stream' : 'application/json']: { schema: schemaOf(answer!.schema, 'output') },
      },
    },
  ]);
  const codes = new Set([...COMMON, ...(body === null ? [] : OF_BODIES), ...rest.problems]);
  if (path.includes('{')) codes.add('not_found');
  return {
    operationId: name,
    summary,
    parameters: [...parametersOf(parameters, path), ...(idempotent ? [IDEMPOTENCY_KEY] : [])],
    ...(body === null
      ? {}
      : {
          requestBody: {
            required: true,
            content: {
              [oauth ? 'application/x-www-form-urlencoded' : 'application/json']: { schema: schemaOf(body, 'input') },
            },
          },
        }),
    ...(open === undefined ? {} : { security: [] }),
    responses: { ...Object.fromEntries(replies), ...problemsOf([...codes], oauth) },
  };
}

const DECISION = {
  'x-authz-decision': { description: 'The line of the audit about this request.', schema: { type: 'string' } },
};

const IDEMPOTENCY_KEY = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'The same key with the same body is the same order, and gets the same answer; with another body it is refused.',
  schema: { type: 'string', pattern: '^[\\x21-\\x7e]{1,128}$' },
};

function parametersOf(parameters: z.ZodType, path: string): readonly Json[] {
  const { properties = {}, required = [] } = schemaOf(parameters, 'input') as {
    properties?: Readonly<Record<string, Json>>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...schema }]) => {
    const inPath = path.includes(`{${name}}`);
    return { name, in: inPath ? 'path' : 'query', required: inPath || required.includes(name), description, schema };
  });
}

/** Where the answers with a problem stand, by their status. */
function problemsOf(codes: readonly ProblemCode[], oauth: boolean): Json {
  const statuses = new Set([UNPROVEN, ...codes.map((code) => problems[code].status)]);
  return Object.fromEntries(
    [...statuses].map((status) => [status, oauth ? OAUTH_ERROR : { $ref: `#/components/responses/Problem${status}` }]),
  );
}

/** Of a token endpoint: what could be read of the request decides in which form its problem is told. */
const OAUTH_ERROR = {
  description:
    'No token: an error of RFC 6749 section 5.2, or a problem, where the request could not be taken for one of a token',
  headers: DECISION,
  content: {
    'application/json': { schema: { $ref: '#/components/schemas/OAuthError' } },
    'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
  },
};

/** The answers with a problem, each with the codes that its status can have. */
function problemResponses(): Json {
  const codes = Object.entries(problems).map(([code, { status, title }]) => ({
    status,
    text: `\`${code}\`: ${title}`,
  }));
  const byStatus = [...Map.groupBy(codes, ({ status }) => status)].map(([status, of]) => [
    `Problem${status}`,
    problemOf(of.map(({ text }) => text).join('. ')),
  ]);
  const unproven = { ...problemOf('The caller is not proven'), headers: { ...DECISION, ...CHALLENGE } };
  return { ...Object.fromEntries(byStatus), [`Problem${UNPROVEN}`]: unproven };
}

const CHALLENGE = { 'www-authenticate': { description: 'RFC 6750 section 3', schema: { type: 'string' } } };

const problemOf = (description: string): Json => ({
  description,
  headers: DECISION,
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
});

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Json {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return rest;
}

/** `GET /openapi.json`: for everybody who is proven. */
export function openApiRoute(others: readonly Route[]): Route {
  const itself = route({
    name: 'openapi',
    method: 'GET',
    path: '/openapi.json',
    summary: 'This document',
    action: 'view',
    parameters: z.strictObject({}),
    body: null,
    answers: { 200: { what: 'OpenAPI 3.1', schema: z.looseObject({ openapi: z.string() }) } },
    problems: [],
    idempotent: false,
    subject: () => null,
    prepare: async () => ({ about: {}, verdict: FOR_ALL, run: async () => ({ status: 200, body: document }) }),
  });
  const document = openApiOf([...others, itself]);
  return itself;
}

/** No policy is asked: the document is the same for everybody, and public. */
const FOR_ALL = { allowed: true, permits: [], forbids: [], errors: [] };
