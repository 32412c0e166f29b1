import { Fault } from '../../base/fault.ts';
import { decodeUtf8 } from '../../base/strict-json.ts';
import { readBounded } from '../../source/bounded.ts';
import { formatProblem } from '../../source/problem.ts';
import { readYaml } from '../../source/yaml.ts';
import { command } from '../commands.ts';
import { explanationText } from '../explained.ts';
import { UNREAD } from '../io.ts';
import { indentedJson, plainOutput } from '../printable.ts';
import { askOnce, type Members, shown } from './asking.ts';
import { CONNECTION_OPTIONS, CONNECTION_USAGE } from './connection.ts';

const STATE_USAGE = `state --control URL …
  what the process behind a control API knows of itself: whether it is ready, what keeps it from that, the policies in
  force, and its parts
${CONNECTION_USAGE}`;

/** `state`: 0 with what the control API says, 1 when it refuses, 2 when it did not answer. */
export const stateCommand = plainOutput(
  command(STATE_USAGE, CONNECTION_OPTIONS, async (line, io) => {
    if (line.positionals.length > 0) return line.misuse('state takes no argument');
    return askOnce(line, { method: 'GET', path: '/state' }, stateText, io);
  }),
);

const EXPLAIN_USAGE = `explain FILE --control URL …
  which policies in force behind a control API decide a request, and which part of which condition; policy explain does the
  same for a folder
  FILE               the request, in YAML or JSON with the keys of a policy test: caller, request, through, task …
${CONNECTION_USAGE}`;

/** The control API takes no more. */
const MAX_BYTES = 64 * 1024;

/** `explain FILE`: as `state`; 2 also where the file cannot be read. */
export const explainOverControl = plainOutput(
  command(EXPLAIN_USAGE, CONNECTION_OPTIONS, async (line, io) => {
    const [file, ...more] = line.positionals;
    if (file === undefined || more.length > 0) return line.misuse('name one file with the request');
    const scenario = await readScenario(file);
    if (scenario instanceof Fault) {
      io.err(`${scenario.detail}\n`);
      return UNREAD;
    }
    return askOnce(line, { method: 'POST', path: '/explain', body: scenario.value }, explanationText, io);
  }),
);

async function readScenario(file: string): Promise<{ readonly value: unknown } | Fault> {
  const bytes = await readBounded(file, MAX_BYTES, AbortSignal.timeout(5000));
  const text = bytes instanceof Fault ? bytes : decodeUtf8(bytes);
  if (text instanceof Fault) return new Fault(`${file}: ${text.detail}`);
  const read = readYaml(text, file, 'write the request, with caller and request at least');
  return Array.isArray(read) ? new Fault(read.map(formatProblem).join('\n')) : read;
}

function stateText({ version, ready, missing, revision, parts }: Members): string | null {
  if (typeof ready !== 'boolean' || !Array.isArray(missing)) return null;
  return [
    `version ${shown(version)}: ${ready ? 'ready' : 'not ready'}`,
    ...missing.map((what) => `  ${shown(what)}`),
    `policies ${shown(revision)}`,
    indentedJson(parts),
  ].join('\n');
}
