import { spawn } from 'node:child_process';
import { platform } from 'node:os';
import { Fault } from '../../base/fault.ts';
import { type CommandLine, command } from '../commands.ts';
import { DONE, FAILED, type Io, UNREAD } from '../io.ts';
import { plainOutput } from '../printable.ts';
import { type ControlAnswer, call } from './call.ts';
import { type ControlConnection, serverBy } from './connection.ts';
import { receiveCode } from './loopback.ts';
import { readSession, removeSession, sessionFile, writeSession } from './session-file.ts';

/** A person finds a password and a second factor in that time. */
const SIGN_IN_MS = 300_000;

const OPTIONS = {
  control: { type: 'string' },
  ca: { type: 'string' },
  'session-file': { type: 'string' },
  timeout: { type: 'string' },
} as const;
const USAGE = `  --control URL      the console: https://HOST, or https://HOST:PORT
  --ca FILE          the authorities of the console, as PEM; default: those of the machine
  --session-file FILE
                     where the session is kept; ~/.config/cedar-ext-authz/session.json by default
  --timeout DURATION how long an answer may take, 10s by default
`;
const SIGN_IN_USAGE = `sign-in --control URL [--no-open]
  signs a person in with the browser; the commands that ask the same console then act as this person
${USAGE}  --no-open          prints the page, and opens no browser
`;
const SIGN_OUT_USAGE = `sign-out --control URL
  ends the session of sign-in, and removes it
${USAGE}`;

type Values = CommandLine<typeof OPTIONS>['values'];
type Line = Pick<CommandLine<typeof OPTIONS>, 'positionals' | 'misuse'> & { readonly values: Values };

/** The console of a command line, or the exit code after what is wrong with it was printed. */
async function consoleBy({ values, positionals, misuse }: Line, io: Io) {
  if (positionals.length > 0) return misuse('it takes no argument');
  const connection = await serverBy(values);
  if ('fault' in connection) {
    if (connection.misused) return misuse(connection.fault);
    io.err(`${connection.fault}\n`);
    return UNREAD;
  }
  const origin = URL.parse(connection.url)?.origin;
  if (origin === undefined || !origin.startsWith('https://'))
    return misuse('--control: people sign in at https://HOST:PORT');
  return { connection, origin, file: sessionFile(values['session-file'], io.env) };
}

/** `sign-in`: 0 when there is a session, 1 when the console refused, 2 when there was no answer or no sign-in. */
export const signInCommand = plainOutput(
  command(SIGN_IN_USAGE, { ...OPTIONS, 'no-open': { type: 'boolean' } }, async (line, io) => {
    const found = await consoleBy(line, io);
    if (typeof found === 'number') return found;
    const { connection, origin, file } = found;
    const receiver = await receiveCode(origin, SIGN_IN_MS);
    try {
      io.err(`Sign in with the browser:\n  ${receiver.page}\n`);
      if (line.values['no-open'] !== true) openBrowser(receiver.page);
      const code = await receiver.code;
      if (code instanceof Fault) return failed(code.detail, io);
      return await exchanged(connection, { code, verifier: receiver.verifier }, { origin, file }, io);
    } finally {
      receiver.stop();
    }
  }),
);

async function exchanged(
  connection: ControlConnection,
  body: { readonly code: string; readonly verifier: string },
  { origin, file }: { readonly origin: string; readonly file: string },
  io: Io,
): Promise<number> {
  const answer = await call(connection, { method: 'POST', path: '/sign-in/token', body });
  if (answer.kind !== 'good') return refused(answer, io);
  const { token, expires_in: seconds } = answer.value;
  if (typeof token !== 'string' || typeof seconds !== 'number') return failed('it answered what is no session', io);
  const before = await readSession(file, true);
  const expires = new Date(Date.now() + seconds * 1000).toISOString();
  const fault = await writeSession(file, { url: origin, token, expires });
  if (fault !== null) return failed(fault.detail, io);
  // Nobody would end it any more; it is of no use where that fails.
  if (before !== null && !(before instanceof Fault) && before.url === origin)
    await call({ ...connection, token: before.token }, { method: 'POST', path: '/sign-out' });
  const session = await call({ ...connection, token }, { method: 'GET', path: '/session' });
  if (session.kind !== 'good') return refused(session, io);
  const { name, subject, issuer } = (session.value.person ?? {}) as Readonly<Record<string, unknown>>;
  io.out(`signed in as ${name ?? subject} (${subject} of ${issuer}) until ${session.value.ends}\n`);
  return DONE;
}

/** `sign-out`: 0 when there is no session any more, also where there was none. */
export const signOutCommand = plainOutput(
  command(SIGN_OUT_USAGE, OPTIONS, async (line, io) => {
    const found = await consoleBy(line, io);
    if (typeof found === 'number') return found;
    const { connection, origin, file } = found;
    const session = await readSession(file, true);
    if (session instanceof Fault) return failed(session.detail, io);
    if (session === null || session.url !== origin) {
      io.out('nobody is signed in there\n');
      return DONE;
    }
    const answer = await call({ ...connection, token: session.token }, { method: 'POST', path: '/sign-out' });
    if (answer.kind === 'none') return refused(answer, io);
    await removeSession(file);
    if (answer.kind === 'problem' && answer.problem.code !== 'session_missing') return refused(answer, io);
    io.out('signed out\n');
    return DONE;
  }),
);

function refused(answer: Exclude<ControlAnswer, { readonly kind: 'good' }>, io: Io): number {
  if (answer.kind === 'none') return failed(answer.fault, io);
  const { title, detail, code } = answer.problem;
  io.err(`${detail === null ? title : `${title}: ${detail}`} (${code ?? answer.problem.status})\n`);
  return FAILED;
}

function failed(what: string, io: Io): number {
  io.err(`${what}\n`);
  return UNREAD;
}

/** Where no browser can be opened, the page was printed. */
function openBrowser(page: string): void {
  const opener = spawn(platform() === 'darwin' ? 'open' : 'xdg-open', [page], { stdio: 'ignore', detached: true });
  opener.on('error', () => {});
  opener.unref();
}
