#!/usr/bin/env -S MALLOC_TRIM_THRESHOLD_=131072 node --expose-gc --max-semi-space-size=16 --no-allocation-site-pretenuring --heap-growing-percent=40 --wasm-tiering-budget=100000000
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type App, start } from './app/app.ts';
import { examine } from './app/examine.ts';
import { misuse, readArguments } from './cli/arguments.ts';
import { audit } from './cli/audit.ts';
import { type Commands, dispatch, find } from './cli/commands.ts';
import { readConfig } from './cli/config.ts';
import { controlCommands } from './cli/control/commands.ts';
import { doctor } from './cli/doctor/doctor.ts';
import { DONE, FAILED, type Io } from './cli/io.ts';
import { key } from './cli/legacy/key.ts';
import { policy } from './cli/policy/policy.ts';
import { unsafeInForce } from './config/unsafe.ts';

const USAGE = `cedar-ext-authz: an external-authorization sidecar for Envoy

serve --config FILE     answer Envoy's checks until SIGTERM
check-config FILE       read a configuration and all that it names, and serve nothing
doctor ENVOY            what Envoy's configuration lacks, or lets past the sidecar
policy VERB             what a folder of policies holds, decides and would change: check, test, explain, replay, reach, prove, compare
audit VERB              the hash chain of an audit file, and what its lines tell: verify, find
key new                 make an API key for a legacy account
revoke KIND SUBJECT     order a control API to refuse what is valid otherwise
lift ID                 end a revocation before its end
revocations             what is revoked, by a control API
decisions               what was decided lately, by a control API
workloads               who calls, and by which credentials, by a control API
state                   what the process of a control API knows of itself
explain FILE            which policies decide a request there
tasks                   the tasks that began, by a control API
approvals [ID]          what denied calls ask a person for, by a control API
approve ID              let one such request pass
refuse ID               refuse it, or withdraw what was granted
break-glass ID          let it pass alone, in an emergency
review ID               say that another person has looked at a break-glass
behaviour VERB          what is usual for a workload, by a control API: show, export, forget, accept, import
task VERB               begin, extend and end a task by a control API: start, heartbeat, end
sign-in                 sign a person in at a console with the browser, for the commands above
sign-out                end that session
help [COMMAND [VERB]]   the same as COMMAND VERB --help
version                 the version of this program and of Node (also --version, -v)

Exit codes: 0 done; 1 problems or differences were found, or the sidecar could not serve; 2 a file could not be read, or
the control API did not answer; 64 the command line is wrong.
`;
const SERVE_USAGE = `serve --config FILE
  answers Envoy's checks until SIGTERM or SIGINT
  --config FILE      the configuration, read once at startup; policies, inventory, bundles and keys are watched
`;
const CHECK_CONFIG_USAGE = `check-config FILE
  checks a configuration and everything that it names (bundles, keys, policies, inventory) without serving: 0 if a sidecar
  would be ready with it, and the active unsafe settings; 1 with the position of each problem
`;
const HELP_USAGE = 'help [COMMAND [VERB]]\n  the same as COMMAND VERB --help\n';
const VERSION_USAGE = 'version\n  the version of this program and of Node\n';

const commands: Commands = {
  serve: { usage: SERVE_USAGE, run: serve },
  'check-config': { usage: CHECK_CONFIG_USAGE, run: checkConfig },
  doctor,
  policy,
  audit,
  key,
  ...controlCommands,
  help: { usage: HELP_USAGE, run: help },
  version: { usage: VERSION_USAGE, run: version },
};

/** Spellings of other programs. */
const ALIASES: Readonly<Record<string, string>> = { '--version': 'version', '-v': 'version', '-V': 'version' };

const io: Io = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
  in: () => process.stdin,
  env: process.env,
};

/**
 * Nobody has to read to the end (`| head`): then the rest is dropped, and the exit code still tells what came of the
 * command. Any other output that is lost is a failure.
 */
function dropUnread(stream: NodeJS.WriteStream): void {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    process.stderr.write(`what came of it cannot be written (${error.code})\n`);
    process.exit(FAILED);
  });
}

/** Runs one command line and returns the exit code. */
async function run([name, ...rest]: readonly string[]): Promise<number> {
  const args = name === undefined ? [] : [ALIASES[name] ?? name, ...rest];
  // The standard output of a sidecar is one of its audit's sinks, which watches it.
  if (name !== 'serve') [process.stdout, process.stderr].forEach(dropUnread);
  return dispatch(commands, args, { usage: USAGE, within: '' }, io);
}

async function help(args: readonly string[]): Promise<number> {
  const command = args.length === 0 ? { usage: USAGE } : find(commands, args);
  if (command === undefined) return misuse(`there is no command ${JSON.stringify(args.join(' '))}`, USAGE, io);
  io.out(command.usage);
  return DONE;
}

async function version(args: readonly string[]): Promise<number> {
  const parsed = readArguments(args, {}, VERSION_USAGE, io);
  if (typeof parsed === 'number') return parsed;
  if (parsed.positionals.length > 0) return misuse('version takes no argument', VERSION_USAGE, io);
  io.out(`cedar-ext-authz ${await packageVersion()} on Node ${process.version}\n`);
  return DONE;
}

async function packageVersion(): Promise<string> {
  const file = await readFile(join(import.meta.dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

/** The file that a command line names once, by `--config` or by itself; or the exit code. */
function configFile(args: readonly string[], usage: string): string | number {
  const parsed = readArguments(args, { config: { type: 'string' } }, usage, io);
  if (typeof parsed === 'number') return parsed;
  const { values, positionals } = parsed;
  const [file, ...more] = [...(values.config === undefined ? [] : [values.config]), ...positionals];
  if (file === undefined || more.length > 0) return misuse('name one configuration: --config FILE', usage, io);
  return file;
}

async function serve(args: readonly string[]): Promise<number> {
  const file = configFile(args, SERVE_USAGE);
  if (typeof file === 'number') return file;
  const config = await readConfig(file, io);
  if (typeof config === 'number') return config;
  const stopping = stopSignal();
  const startedAtMs = Date.now();
  const reloading = onReload();
  let app: App;
  try {
    const [version, node] = [await packageVersion(), process.version];
    app = await start(config, { stdout: process.stdout, log: io.err, version, node, startedAtMs });
  } catch (error) {
    io.err(`${error instanceof Error ? error.message : String(error)}\n`);
    // Whatever might still be open must not keep alive what does not serve.
    process.exit(FAILED);
  }
  reloading.resolve(app);
  await stopping;
  await app.stop();
  return DONE;
}

/** Resolves at the first of these; a second one of the same ends the process at once, as it does by default. */
const STOP = ['SIGTERM', 'SIGINT', 'SIGQUIT'] as const;
/** By default they end a process, and nothing here means anything by them. */
const IGNORED = ['SIGUSR2', 'SIGALRM', 'SIGVTALRM', 'SIGIO', 'SIGPWR', 'SIGSTKFLT', 'SIGXFSZ'] as const;

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of STOP) process.once(signal, () => resolve());
  });
}

/** SIGHUP reloads the app, once it is there: what `systemctl reload` and logrotate send. */
function onReload(): PromiseWithResolvers<App> {
  const serving = Promise.withResolvers<App>();
  process.on('SIGHUP', () => void serving.promise.then((app) => app.reload()));
  for (const signal of IGNORED) process.on(signal, () => {});
  return serving;
}

async function checkConfig(args: readonly string[]): Promise<number> {
  const file = configFile(args, CHECK_CONFIG_USAGE);
  if (typeof file === 'number') return file;
  const config = await readConfig(file, io, FAILED);
  if (typeof config === 'number') return config;
  const { problems, notes } = await examine(config);
  for (const problem of problems) io.err(`${problem}\n`);
  for (const note of notes) io.out(`note: ${note}\n`);
  if (problems.length > 0) return FAILED;
  const unsafe = unsafeInForce(config);
  io.out(
    `${file}: good${unsafe.length === 0 ? '' : `, but unsafe: ${unsafe.map(({ setting }) => setting).join(', ')}`}\n`,
  );
  for (const { setting, gives } of unsafe) io.out(`  ${setting}: ${gives}\n`);
  return DONE;
}

process.exitCode = await run(process.argv.slice(2)).catch((error: unknown) => {
  io.err(`${error instanceof Error ? error.message : String(error)}\n`);
  return FAILED;
});
