import { systemClock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { command } from '../commands.ts';
import { momentBy } from '../moment.ts';
import { plainOutput } from '../printable.ts';
import { counted, type Members, ORDER_OPTIONS, ORDER_USAGE, sendOrder, shown, whereText } from './asking.ts';
import { subjectText } from './lists.ts';

const REVOKE_USAGE = `revoke KIND SUBJECT --reason TEXT --until TIME --control URL …
  refuses what is valid otherwise, until it ends or is lifted; 1 with the reason where the control API refuses
  workload ID        this SPIFFE ID, anywhere in a delegation chain
  under ID           every workload below this SPIFFE ID, and itself; of a whole trust domain with --confirm
  owner TEAM         every workload of this team
  task ISSUER ID     this task
  token ISSUER JTI   this token; or token DIGEST, as audit lines hold it
  key THUMBPRINT     a key that tokens are bound to: its JWK thumbprint
  certificate FINGERPRINT
  subject ISSUER SUBJECT
                     every token of this issuer for this subject
  --reason TEXT      why
  --until TIME       when it ends: 2026-12-31T00:00:00Z, or a duration from now, such as 2h
  --issued-up-to TIME
                     hits only what was issued up to then, so that what is new passes: a time, now, or a duration before now
  --id ID            the id of the revocation; made if left out
  --dry-run          only says what it would refuse
  --confirm          confirms that a whole trust domain is meant
${ORDER_USAGE}`;

const REVOKE_OPTIONS = {
  ...ORDER_OPTIONS,
  until: { type: 'string' },
  'issued-up-to': { type: 'string' },
  id: { type: 'string' },
  'dry-run': { type: 'boolean' },
  confirm: { type: 'boolean' },
} as const;

const ONE = ['workload', 'under', 'owner', 'key', 'certificate'];
/** Kinds whose subject has two parts, with the name of the second. */
const TWO: Readonly<Record<string, string>> = { task: 'id', token: 'jti', subject: 'subject' };

/** `revoke KIND SUBJECT`: 0 when the control API took it, 1 with its sentence when it refuses, 2 when it did not answer. */
export const revoke = plainOutput(
  command(REVOKE_USAGE, REVOKE_OPTIONS, async (line, io) => {
    const { values, positionals, misuse } = line;
    const subject = subjectBy(positionals);
    if (subject instanceof Fault) return misuse(subject.detail);
    const { reason, id, confirm } = values;
    if (reason === undefined) return misuse('state why: --reason TEXT');
    if (values.until === undefined) return misuse('state when it ends: --until TIME, such as --until 2h');
    const nowMs = systemClock.now();
    const until = momentBy(values.until, nowMs, 'future');
    if (until instanceof Fault) return misuse(`--until: ${until.detail}`);
    const issued = values['issued-up-to'];
    const issuedUpTo = issued === undefined ? null : momentBy(issued, nowMs, 'past');
    if (issuedUpTo instanceof Fault) return misuse(`--issued-up-to: ${issuedUpTo.detail}`);
    const body = {
      ...subject,
      ...(id === undefined ? {} : { id }),
      ...(issuedUpTo === null ? {} : { issuedUpTo: timeText(issuedUpTo) }),
      ...(confirm === true ? { confirm } : {}),
      until: timeText(until),
      reason,
    };
    const dry = values['dry-run'] === true;
    const path = dry ? '/revocations?dryRun=true' : '/revocations';
    return sendOrder(line, { path, body }, dry ? dryText : takenText, io);
  }),
);

const LIFT_USAGE = `lift ID --reason TEXT --control URL …
  ends a revocation before its end; 1 with the reason where the control API refuses
  --reason TEXT      why
${ORDER_USAGE}`;

const LIFT_OPTIONS = {
  ...ORDER_OPTIONS,
} as const;

/** `lift ID`: 0 when the control API took it, 1 with its sentence when it refuses, 2 when it did not answer. */
export const lift = plainOutput(
  command(LIFT_USAGE, LIFT_OPTIONS, async (line, io) => {
    const { values, positionals, misuse } = line;
    const [id, ...more] = positionals;
    if (id === undefined || more.length > 0) return misuse('name one revocation by its id');
    const { reason } = values;
    if (reason === undefined) return misuse('state why: --reason TEXT');
    return sendOrder(
      line,
      { path: `/revocations/${encodeURIComponent(id)}/lift`, body: { reason } },
      (answer) => `lifted ${id}${whereText(answer)}`,
      io,
    );
  }),
);

function subjectBy([kind, first, second, ...more]: readonly string[]): Members | Fault {
  const kinds = [...ONE, ...Object.keys(TWO)];
  if (kind === undefined || !kinds.includes(kind)) return new Fault(`name what is revoked: ${kinds.join(', ')}`);
  if (first === undefined || more.length > 0) return new Fault(`${kind}: name one subject`);
  const member = Object.hasOwn(TWO, kind) ? TWO[kind] : undefined;
  if (member === undefined) return second === undefined ? { [kind]: first } : new Fault(`${kind}: name one subject`);
  if (second !== undefined) return { [kind]: { issuer: first, [member]: second } };
  return kind === 'token' ? { token: { digest: first } } : new Fault(`${kind}: write ISSUER ${member.toUpperCase()}`);
}

const timeText = (timeMs: number): string => new Date(timeMs).toISOString();

const dryText = (answer: Members): string => `nothing is changed; the order ${shown(answer.summary)}`;

function takenText(answer: Members): string {
  const revocation = (answer.revocation ?? {}) as Members;
  const head = `revoked ${shown(revocation.id)}: ${subjectText(revocation)} until ${shown(revocation.until)}`;
  return `${head}${whereText(answer)}${hitsText(answer)}`;
}

/** What an order hits, as far as that is known: a misspelt id revokes nothing that exists. */
function hitsText(answer: Members): string {
  const { workloads, tasks, known } = (answer.hits ?? {}) as Members;
  if (workloads === null) return '\nhow many workloads and live tasks it hits is not known';
  const live = typeof tasks === 'number' ? `, ${counted(tasks, 'live task')}` : '';
  const hits = typeof workloads === 'number' ? `\nit hits ${counted(workloads, 'workload')}${live}` : '';
  return known === false ? `${hits}\nnote: what it names is not known here` : hits;
}
