import { parseArgs } from 'node:util';
import { against } from './against.ts';
import { assemble, compare } from './contest.ts';
import { line, wrongAnswers } from './report.ts';
import { build, takeLoadCore } from './servers.ts';

/**
 * `npm run bench [-- --quick] [--seconds N] [--rounds N] [--warm-up N] [--no-heimdall]`: what a check costs here, at a server
 * that says yes, and at Heimdall, in one run. `npm run bench -- against COMMIT [--rounds N] [--checks N]`: here and there.
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    checks: { type: 'string', default: '20000' },
    quick: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    rounds: { type: 'string' },
    'warm-up': { type: 'string' },
    'no-heimdall': { type: 'boolean', default: false },
  },
});
if (positionals[0] === 'against') {
  const options = { rounds: Number(values.rounds ?? 9), checks: Number(values.checks) };
  process.exit((await against(positionals[1] ?? 'HEAD', options)) ? 0 : 1);
}
const seconds = Number(values.seconds ?? (values.quick ? 0.5 : 3));
const rounds = Number(values.rounds ?? 3);
const warmUp = Number(values['warm-up'] ?? 10);

await build();
await takeLoadCore();
const contest = await assemble({ heimdall: !values['no-heimdall'] });
try {
  const measured = await compare(contest, { rounds, seconds, warmUp });
  for (const shape of contest.shapes) process.stdout.write(`${line(shape.name, measured.get(shape.name)!)}\n`);
  for (const fault of wrongAnswers(measured)) {
    process.stdout.write(`bench: ${fault}\n`);
    process.exitCode = 1;
  }
} finally {
  await contest.stop();
}
