#!/usr/bin/env node
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type App, examine, start } from './app.ts';
import { AUDIT_USAGE, auditCommand } from './cli/audit.ts';
import { readConfig } from './cli/config.ts';
import { DONE, FAILED, type Io, MISUSED, soleArgument } from './cli/io.ts';
import { POLICY_USAGE, policyCommand } from './cli/policy.ts';

const USAGE = `cedar-ext-authz: an external-authorization sidecar for Envoy

serve --config FILE                 answer Envoy's checks until SIGTERM
check-config FILE                   read a configuration and all that it names, and serve nothing
${POLICY_USAGE}${AUDIT_USAGE}--version
--help

Exit codes: 0 done, 1 failed, 64 the command line or the configuration is wrong.
`;

const io: Io = {
  out: (text) => process.stdout.write(text),
  err: (text) => process.stderr.write(text),
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
async function run(args: readonly string[]): Promise<number> {
  const [command = '--help', ...rest] = args;
  // The standard output of a sidecar is one of its audit's sinks, which watches it.
  if (command !== 'serve') [process.stdout, process.stderr].forEach(dropUnread);
  switch (command) {
    case 'serve':
      return serve(rest);
    case 'check-config':
      return checkConfig(rest);
    case 'policy':
      return policyCommand(rest, io);
    case 'audit':
      return auditCommand(rest, io);
    case '--version':
      io.out(`cedar-ext-authz ${await packageVersion()} on Node ${process.version}\n`);
      return DONE;
    case '--help':
    case '-h':
      io.out(USAGE);
      return DONE;
    default:
      return misuse(`there is no command ${JSON.stringify(command)}`);
  }
}

function misuse(problem: string): number {
  io.err(`${problem}\n\n${USAGE}`);
  return MISUSED;
}

async function packageVersion(): Promise<string> {
  const file = await readFile(join(import.meta.dirname, '..', 'package.json'), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}

async function serve(args: readonly string[]): Promise<number> {
  const file = soleArgument(args, 'config');
  if (file === null) return misuse('serve needs --config FILE');
  const config = await readConfig(file, io);
  if (typeof config === 'number') return config;
  const stopping = stopSignal();
  const startedAtMs = Date.now();
  const reloading = onReload();
  let app: App;
  try {
    const version = await packageVersion();
    app = await start(config, { stdout: process.stdout, log: io.err, version, startedAtMs });
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
  const file = soleArgument(args, 'config');
  if (file === null) return misuse('check-config needs a FILE');
  const config = await readConfig(file, io);
  if (typeof config === 'number') return config;
  const { problems, notes } = await examine(config);
  for (const problem of problems) io.err(`${problem}\n`);
  for (const note of notes) io.out(`note: ${note}\n`);
  if (problems.length > 0) return FAILED;
  io.out(`${file}: good\n`);
  return DONE;
}

process.exitCode = await run(process.argv.slice(2)).catch((error: unknown) => {
  io.err(`${error instanceof Error ? error.message : String(error)}\n`);
  return FAILED;
});
