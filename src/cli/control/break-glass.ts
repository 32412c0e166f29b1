import { command } from '../commands.ts';
import { plainOutput } from '../printable.ts';
import { decidedText, idBy } from './approvals.ts';
import { type Members, ORDER_OPTIONS, ORDER_USAGE, sendOrder, shown, whereText } from './asking.ts';

const BREAK_USAGE = `break-glass ID --digest DIGEST --reason TEXT --control URL …
  an emergency: lets one request pass once, within ten minutes, by the person who signed in alone; another person has to review
  it within 24 hours
  --digest DIGEST    of the request that was looked at, as \`approvals ID\` shows it
  --reason TEXT      why it cannot wait, and under which ticket: at least 20 characters
${ORDER_USAGE}`;

/** `break-glass`: 0 when the control API took it, 1 with its sentence when it refuses, 2 when it did not answer. */
export const breakGlass = plainOutput(
  command(BREAK_USAGE, { ...ORDER_OPTIONS, digest: { type: 'string' } }, async (line, io) => {
    const id = idBy(line.positionals);
    if (id === null) return line.misuse('name one request by its id');
    const { digest, reason } = line.values;
    if (digest === undefined)
      return line.misuse('state what was looked at: --digest DIGEST, as `approvals ID` shows it');
    if (reason === undefined) return line.misuse('state why it cannot wait: --reason TEXT');
    return sendOrder(line, { path: `/approvals/${id}/break-glass`, body: { digest, reason } }, brokenText, io);
  }),
);

const REVIEW_USAGE = `review ID --reason TEXT --control URL …
  says that the person who signed in has looked at what another person let pass by break-glass
  ID                 of the request; or \`beginning\`: the audit tells of no break-glass that waits and that is not known here, as in
                     a store that is new, or that was lost. Before that nobody breaks glass
  --reason TEXT      what was found
${ORDER_USAGE}`;

const BEGINNING = 'beginning';

/** `review`: as `break-glass`. */
export const review = plainOutput(
  command(REVIEW_USAGE, ORDER_OPTIONS, async (line, io) => {
    const [first] = line.positionals;
    const id = first === BEGINNING && line.positionals.length === 1 ? first : idBy(line.positionals);
    if (id === null) return line.misuse(`name one request by its id, or write ${BEGINNING}`);
    const { reason } = line.values;
    if (reason === undefined) return line.misuse('state what was found: --reason TEXT');
    return sendOrder(line, { path: `/approvals/${id}/review`, body: { reason } }, reviewedText, io);
  }),
);

function brokenText(answer: Members): string {
  const { breakGlass: broken } = (answer.approval ?? {}) as Members;
  const { reviewBy } = (broken ?? {}) as Members;
  return `${decidedText(answer)}\nanother person reviews it until ${shown(reviewBy)}`;
}

function reviewedText(answer: Members): string {
  const approval = (answer.approval ?? null) as Members | null;
  return `${approval === null ? `the ${BEGINNING}` : shown(approval.id)} is reviewed${whereText(answer)}`;
}
