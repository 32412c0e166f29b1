import * as z from 'zod';
import { signalKinds } from '../../src/behaviour/signals.ts';
import { credentials } from '../../src/identity/caller.ts';
import type { AuditHop, AuditRecord } from '../../src/observe/record.ts';
import { recordedShape } from '../../src/policy/decide/facts.ts';
import { recordedTouchedShape } from '../../src/policy/decide/recorded-touched.ts';

/** What a line of the audit is: the position in its chain, then a decision or an event. docs/audit-line.schema.json is made of it. */

const text = z.string();
const texts = z.array(text);
const orNull = <T extends z.ZodType>(type: T) => type.nullable();
const decision = z.uuid().describe('The id of the decision, which the response and `x-authz-decision` carry');
const result = z.enum(['allow', 'deny']);
const digest = z.string().regex(/^sha256:[0-9a-f]{64}$/);
const spiffe = z.string().regex(/^spiffe:\/\//);

const place = {
  time: z.iso.datetime({ precision: 3 }).describe('When the check arrived, UTC'),
  boot: z
    .string()
    .regex(/^[0-9a-f]{32}$/)
    .describe('The start of the process that wrote the line'),
  seq: z.int().min(1).describe('1 for the first line of a start, then without a gap'),
  prev: orNull(digest).describe('Digest of the line before; null for the first line of a chain'),
};

const caller = {
  id: orNull(spiffe),
  owner: orNull(text),
  kind: orNull(text),
  credential: orNull(z.enum(credentials)),
  fingerprint: orNull(digest),
};

const hop = z.object({
  id: spiffe,
  owner: text,
  kind: text,
  role: z.enum(['originator', 'intermediary', 'caller']),
  result: z.enum(['allow', 'deny', 'error']),
  permits: texts.describe('Ids of the permits that decided'),
  forbids: texts.describe('Ids of the forbids that decided'),
});

const reason = z.string().describe('`permitted`, `observed`, or a code of reasons.md');
const whys = z.object({
  points: z.number(),
  now: z.number(),
  seconds: z.number().optional(),
  requests: z.number().optional(),
  usual: z.number(),
});

/** The members of a decision: what `toRecord` makes, as JSON has it. */
const record = {
  decision,
  result,
  reason,
  detail: orNull(text).describe('What was wrong, for operators only'),
  caller: orNull(z.object({ ...caller, proxy: orNull(text) })).describe('Who called, as far as a credential proved it'),
  task: orNull(
    z.object({
      id: text,
      purpose: text,
      assurance: orNull(z.int().min(1).max(3)),
      scopes: texts,
      issuer: text,
      subject: orNull(text),
      token: text.describe('Digest of the content of the token'),
      resources: orNull(z.array(z.object({ api: text, parameters: z.record(text, text) }))).describe(
        'What the token says that it is about; null: it names nothing',
      ),
    }),
  ).describe('Why, as a verified token says'),
  hops: z.array(hop).describe('Through whom: the originator first, the caller last'),
  action: orNull(text),
  resource: orNull(z.object({ id: text, api: orNull(text), owner: orNull(text), sensitivity: z.int().min(0).max(3) })),
  facts: orNull(
    z.object({
      ...recordedShape,
      touched: recordedTouchedShape,
      client: orNull(text),
      query: orNull(text),
      declared: orNull(z.object({ id: text, purpose: text })),
      secondsLeft: orNull(z.int()),
      headers: z.record(text, text),
      numbers: z.record(text, z.number()),
    }),
  ).describe('What else policies could see'),
  approval: z
    .object({ digest: text, names: texts, body: orNull(text), request: orNull(text), by: texts })
    .optional()
    .describe('Where approvals were missing'),
  behaviour: z
    .object({
      risk: orNull(z.number().min(0).max(100)),
      signals: z.array(z.enum(signalKinds)),
      why: z.partialRecord(z.enum(signalKinds), whys),
      would: texts,
      wouldQuarantine: z.literal(true).optional().describe('A quarantine would have refused it, had one been made'),
    })
    .optional()
    .describe('What was noticed about the caller'),
  request: z.object({
    id: orNull(text),
    peer: orNull(spiffe),
    from: orNull(text).describe('IP address of the TCP peer'),
    method: orNull(text),
    host: orNull(text),
    path: orNull(text),
    traceparent: orNull(text).describe('As the request says; not verified'),
  }),
  trace: z
    .object({
      id: z.string().regex(/^[0-9a-f]{32}$/),
      span: orNull(z.string().regex(/^[0-9a-f]{16}$/)).describe('The span of the check; null: none was made'),
    })
    .optional()
    .describe('The trace of the check; its ids may be chosen by the caller'),
  policy: orNull(
    z.object({
      revision: digest,
      label: orNull(text),
      unsafe: texts,
      errors: z.array(z.object({ policy: text, message: text })),
      shadow: z.array(z.object({ policy: text, would: text })),
      observed: orNull(text),
    }),
  ),
  micros: z.record(text, z.int().min(0)).describe('Microseconds: `total`, and each stage that ran'),
};

type Told = z.output<z.ZodObject<typeof record>>;
type Same<A, B> = [Exclude<keyof A, keyof B> | Exclude<keyof B, keyof A>] extends [never] ? true : never;
type Part<P extends keyof Told & keyof AuditRecord> = Same<NonNullable<Told[P]>, NonNullable<AuditRecord[P]>>;

/** Does not compile where a member of a record is missing here, or is none there. */
true satisfies Same<Told, Omit<AuditRecord, 'time'>>;
true satisfies Part<'caller'>;
true satisfies Part<'task'>;
true satisfies Part<'resource'>;
true satisfies Part<'facts'>;
true satisfies Part<'request'>;
true satisfies Part<'trace'>;
true satisfies Part<'policy'>;
true satisfies Part<'approval'>;
true satisfies Part<'behaviour'>;
true satisfies Same<Told['hops'][number], AuditHop>;

const name = <const E extends string>(event: E) => z.literal(event);
const revision = orNull(text);
const person = orNull(
  z.object({
    issuer: text,
    subject: text,
    groups: texts.optional(),
    acr: orNull(text),
    amr: texts,
    signedIn: z.iso.datetime({ precision: 3 }),
  }),
);
const session = { decision, result, reason, detail: orNull(text), person, session: orNull(text), from: orNull(text) };

/** Every event with its members. */
const events = {
  boot: {
    last: orNull(z.object({ boot: text, seq: z.int() })),
    torn: orNull(z.object({ bytes: z.int(), sha256: digest })),
    version: text,
    unsafe: texts,
  },
  lost: { records: z.int() },
  withdrawn: { of: z.int(), answered: text, decision },
  undelivered: { decision },
  'policy-loaded': { revision: text, previous: revision, label: orNull(text), disabled: texts, unsafe: texts },
  'policy-refused': { revision, problems: texts },
  'guardrail-bound': { revision: text, guardrails: texts },
  'bundle-changed': { trustDomain: text, revision },
  'check-port-changed': { file: text, revision },
  'revocations-changed': { added: texts, changed: texts, lifted: texts },
  'revocations-refused': { problems: texts },
  'emergency-changed': { policies: texts },
  'emergency-refused': { problems: texts },
  control: {
    decision,
    result,
    reason,
    detail: orNull(text),
    wrong: z.array(z.unknown()),
    caller: orNull(z.object(caller)),
    person,
    call: orNull(text),
    action: orNull(text),
    resource: orNull(z.looseObject({ kind: text })),
    permits: texts,
    forbids: texts,
    errors: z.array(z.unknown()),
    revision,
    request: z.object({ method: text, path: text, host: orNull(text), from: orNull(text) }),
    about: z.looseObject({}),
  },
  'control-failed': { decision, reason, detail: orNull(text) },
  'control-dropped': { records: z.int() },
  'sign-in': session,
  'sign-out': { ...session, endedBy: orNull(z.enum(['person', 'provider'])), sessions: orNull(z.int()) },
};

/** The names of all events. */
export const auditEvents = Object.keys(events);

const line = z.union([
  z.object({ ...place, ...record }).describe('A decision'),
  ...Object.entries(events).map(([event, members]) =>
    z.object({ ...place, event: name(event), ...members }).describe(`The event ${event}`),
  ),
  z
    .looseObject({ ...place, clipped: z.literal(true), event: text.optional() })
    .describe(
      'A decision or an event that was longer than 32 KiB: texts and lists are cut, so that their types may differ',
    ),
]);

/** docs/audit-line.schema.json. `strict`: without members that it does not name, which later versions may have. */
export function auditLineSchema({ strict = false } = {}): object {
  const schema = z.toJSONSchema(line, { io: strict ? 'output' : 'input' });
  return {
    $schema: schema.$schema,
    title: 'A line of the audit of cedar-ext-authz',
    description: 'One JSON object on a line of UTF-8. Later versions may add members and events',
    anyOf: schema.anyOf,
  };
}
