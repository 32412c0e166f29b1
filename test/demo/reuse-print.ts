import { type Column, columns, type PlayedCell, type Row } from './reuse-matrix.ts';

const heads: Readonly<Record<Column, readonly [string, string]>> = {
  'another workload': ['another', 'workload'],
  'after expiry': ['after', 'expiry'],
  'other purpose': ['other', 'purpose'],
  'other method': ['other', 'method'],
  'other resource': ['other', 'resource'],
  'other host': ['other', 'host'],
  'other audience': ['other', 'audience'],
  'replayed as it was': ['replayed', ''],
  'respelled signature': ['spelled', 'anew'],
  'one hop further': ['one hop', 'further'],
  'invented chain': ['invented', 'chain'],
  'shortened chain': ['shorter', 'chain'],
  'forged header beside': ['forged', 'header'],
  'thief’s own proof': ['thief’s', 'proof'],
  'proof left out': ['without', 'proof'],
  'task ended': ['task', 'ended'],
  'lease lapsed': ['lease', 'lapsed'],
  'budget spent': ['budget', 'spent'],
};

/** What stands in a cell, eight characters at most. First what it is about: at access token, tt Transaction Token, … */
const tags: Readonly<Record<string, string>> = {
  request_method_not_allowed: 'method',
  request_header_repeated: 'twice',
  identity_missing: 'nobody',
  identity_conflict: 'two ids',
  identity_token_malformed: 'id form',
  identity_token_type: 'id type',
  identity_token_expired: 'id end',
  identity_token_audience: 'id aud',
  identity_token_signature: 'id sig',
  identity_key_unknown: 'key none',
  identity_key_expired: 'key end',
  identity_legacy_network: 'network',
  identity_legacy_host: 'host',
  identity_svid_signature: 'x5 sig',
  identity_svid_issuer_unknown: 'x5 root',
  identity_svid_expired: 'x5 end',
  task_of_another: 'another',
  task_unbound: 'unbound',
  task_conflict: 'conflict',
  task_token_expired: 'at end',
  task_token_audience: 'at aud',
  task_token_signature: 'at sig',
  task_token_binding: 'at bind',
  task_purpose: 'purpose',
  task_txn_malformed: 'tt form',
  task_txn_type: 'tt type',
  task_txn_expired: 'tt end',
  task_txn_audience: 'tt aud',
  task_txn_signature: 'tt sig',
  task_proof_missing: 'dp none',
  task_proof_method: 'dp meth',
  task_proof_target: 'dp uri',
  task_proof_expired: 'dp end',
  task_proof_token: 'dp token',
  task_proof_key: 'dp key',
  task_proof_replayed: 'dp used',
  task_wit_of_another: 'wi other',
  task_wpt_signature: 'wp sig',
  task_wpt_target: 'wp uri',
  task_wpt_expired: 'wp end',
  task_wpt_token: 'wp token',
  task_wpt_replayed: 'wp used',
  task_ended: 'ended',
  task_lapsed: 'lapsed',
  task_budget_spent: 'spent',
  policy_no_permit: 'nopermit',
  policy_forbidden: 'forbid',
  handshake: 'TLS',
};

const guardrails: Readonly<Record<string, string>> = {
  'proof-rises-with-sensitivity': 'P',
  'scoped-tokens-stay-in-their-scopes': 'S',
  'tasks-stay-with-their-resources': 'R',
  'agents-write-only-in-a-task': 'W',
  'bearers-stay-below-confidential': 'B',
};

const WIDTH = 8;
const LABEL = 22;
const LEGEND_COLUMNS = 4;
const LEGEND_WIDTH = 39;

/** The rows that were played, in their order. */
export const rowsOf = (played: readonly PlayedCell[]): readonly Row[] => [...new Set(played.map(({ row }) => row))];

/** How many of these cells are right; whether all are. */
export function sayReuse(played: readonly PlayedCell[], say: (text: string) => void): boolean {
  const right = played.filter(({ wrong }) => wrong === null).length;
  say(`reuse: ${right} of ${played.length} cells right`);
  return right === played.length;
}

/** Every cell that is not right, and why. */
export const wrongCells = (played: readonly PlayedCell[]): readonly string[] =>
  played.flatMap(({ row, column, wrong }) => (wrong === null ? [] : [`✗ ${row.name}, ${column}: ${wrong}`]));

/** Rows × columns with a legend; below it, every cell that is not right. */
export function printMatrix(played: readonly PlayedCell[]): string {
  const line = (label: string, cells: readonly string[]): string =>
    [label.padEnd(LABEL), ...cells.map((cell) => cell.padEnd(WIDTH))].join(' ').trimEnd();
  const head = (at: 0 | 1): readonly string[] => columns.map((column) => heads[column][at]);
  const body = rowsOf(played).map((row) => {
    const cells = columns.map((column) => {
      const cell = played.find((one) => one.row === row && one.column === column);
      return cell === undefined ? '·' : tagOf(cell);
    });
    return line(row.name, cells);
  });
  return [
    line('what a thief holds', head(0)),
    line('', head(1)),
    line(
      '─'.repeat(LABEL),
      columns.map(() => '─'.repeat(WIDTH)),
    ),
    ...body,
    '',
    ...legend(played),
    ...wrongCells(played),
  ].join('\n');
}

function tagOf({ got, cell: { expected }, wrong }: PlayedCell): string {
  if (wrong !== null) return `✗ ${got}`.slice(0, WIDTH);
  const by = 'kept' in expected ? expected.kept.by : expected.by;
  const mark = by === undefined ? '' : ` ${guardrails[by] ?? '?'}`;
  return `${got === 'permitted' ? 'works' : (tags[got] ?? '?')}${mark}`;
}

function legend(played: readonly PlayedCell[]): readonly string[] {
  const seen = new Set(played.map(({ got }) => got));
  const entries = Object.entries(tags).filter(([reason]) => seen.has(reason));
  const texts = entries.map(([reason, tag]) => `${tag.padEnd(WIDTH)} ${reason}`);
  const perColumn = Math.ceil(texts.length / LEGEND_COLUMNS);
  const lines = Array.from({ length: perColumn }, (_, at) =>
    Array.from({ length: LEGEND_COLUMNS }, (_, column) => (texts[column * perColumn + at] ?? '').padEnd(LEGEND_WIDTH))
      .join(' ')
      .trimEnd(),
  );
  const letters = Object.entries(guardrails).map(([name, letter]) => `${letter} ${name}`);
  return [
    ...lines,
    '',
    `works X: the reuse works, and the guardrail X keeps it away from what matters. ${letters.slice(0, 2).join(', ')},`,
    `${letters.slice(2).join(', ')}. ·: there is nothing to try.`,
  ];
}
