import { type Change, type Replay, Replayer } from '../tools/replay.ts';
import { command } from './commands.ts';
import { DONE, FAILED, linesOf, UNREAD, unread } from './io.ts';
import { FOLDER_OPTIONS, FOLDER_USAGE, openFolder } from './policy-open.ts';
import { indentedJson } from './printable.ts';
import { table } from './table.ts';

const USAGE = `policy replay AUDIT --with FOLDER [--inventory FILE] [--config FILE]
  evaluates the decisions of an audit file again, and shows which would change; exit code 1 if some would, or if past
  refusals would reach policies with this inventory; else 2 if lines cannot be read
  --json             as JSON
${FOLDER_USAGE}`;

const OPTIONS = { ...FOLDER_OPTIONS, with: { type: 'string' }, json: { type: 'boolean' } } as const;

/** `policy replay`: 0 when every past decision stays, 1 when some would change, 2 when lines cannot be read, as diff has it. */
export const policyReplay = command(USAGE, OPTIONS, async (line, io) => {
  const { values, positionals, misuse } = line;
  const [audit, ...more] = positionals;
  if (audit === undefined || more.length > 0) return misuse('name one audit file');
  const opened = await openFolder(line, io, values.with === undefined ? [] : [values.with]);
  if (typeof opened === 'number') return opened;
  const { snapshot } = opened.loaded;
  const replayer = new Replayer(snapshot);
  try {
    for await (const decision of linesOf(audit)) replayer.add(decision);
  } catch (error) {
    return unread(audit, error, io);
  }
  const replay = replayer.result();
  const { judged, left, unreadable } = replay;
  if (judged + left['before policy'] + left['not exact'] === 0) {
    const first = unreadable === null ? '' : ` (line ${unreadable.line}: ${unreadable.reason})`;
    io.err(`${audit}: no line of it tells of a check${first}; name an audit file of this version, unpacked\n`);
    return UNREAD;
  }
  io.out(values.json === true ? `${indentedJson(replay)}\n` : `${text(audit, replay, snapshot.revision)}\n`);
  if (replay.changes.length + replay.opened.length > 0) return FAILED;
  return unreadable === null ? DONE : UNREAD;
});

function text(audit: string, replay: Replay, revision: string): string {
  const { judged, sameRevision, changes, inexact, opened, untold, shadow, left, unreadable } = replay;
  const lines = [`${audit}: ${judged} decisions evaluated again with revision ${revision.slice(0, 19)}`];
  if (sameRevision > 0) lines.push(`  ${sameRevision} of them had this revision`);
  if (left['before policy'] > 0)
    lines.push(`  ${left['before policy']} more were refused before policies were evaluated`);
  if (left['not exact'] > 0)
    lines.push(`  ${left['not exact']} more cannot be replayed: their lines were clipped or redacted`);
  if (unreadable !== null) {
    lines.push(`  ${left.unreadable} more cannot be read; the first is line ${unreadable.line}: ${unreadable.reason}`);
  }
  if (inexact > 0) {
    const lack = 'please report; the audit lines lack an input';
    lines.push(`  ${inexact} decisions differ under identical policies: ${lack}`);
  }
  const would = sum(changes);
  const unsure = Object.entries(untold);
  const all = left.unreadable + left['not exact'] + sum(opened) + unsure.length === 0;
  lines.push('', would === 0 ? `None${all ? '' : ' of those evaluated'} would change.` : `${would} would change:`);
  if (would > 0) {
    const heading = ['count', 'caller', 'request', 'then', 'now', 'by', 'such as'];
    lines.push(table([heading, ...changes.map(row)], '  '));
  }
  if (opened.length > 0) {
    lines.push('', `${sum(opened)} were refused before policies were evaluated, and would now reach policies:`);
    const rows = opened.map(({ reason, detail, count, decision }) => [String(count), reason, detail, decision]);
    lines.push(table([['count', 'reason', 'because', 'such as'], ...rows], '  '));
  }
  if (unsure.length > 0) {
    const reasons = unsure.map(([reason, count]) => `${reason} (${count})`).join(', ');
    lines.push('', `Whether this inventory still refuses these is not in their lines: ${reasons}`);
  }
  if (shadow.length > 0) {
    lines.push('', 'What policies in shadow would change, were they enforced:');
    const rows = shadow.map(({ policy, would, count }) => [String(count), would, policy]);
    lines.push(table([['count', 'would', 'policy'], ...rows], '  '));
  }
  return lines.join('\n');
}

const sum = (rows: readonly { readonly count: number }[]): number => rows.reduce((all, { count }) => all + count, 0);

function row({ caller, action, what, before, now, count, decision }: Change): string[] {
  const said = ({ result, reason }: Change['before']): string =>
    result === 'allow' || reason === null ? result : `deny (${reason})`;
  return [String(count), caller, `${action} ${what}`, said(before), said(now), now.by.join(', ') || '–', decision];
}
