import { type Patch, runSoakMutation } from './soak.ts';

/**
 * Can the soak of files fail? One thing after another that keeps half-written files from being served is taken out.
 * `node test/mutation/files.ts [WORD]` takes those whose name holds the word.
 */
const holder = 'src/policy/holder.ts';
const patches: readonly Patch[] = [
  ['files rest before they are believed', holder, 'SETTLE_MS = 100;', 'SETTLE_MS = 0;'],
  ['what is judged is read again before it is installed', holder, 'if (stamp !== reading.stamp) continue;', ''],
  [
    'two readings in a row are the same',
    holder,
    'if (reading.stamp === stamp && fingerprint(reading) === before) return reading;',
    'return reading;',
  ],
];

// The soak ends at the first fault.
process.exitCode = await runSoakMutation({
  args: ['files', '40', '1'],
  env: { FILES_SEED: '1' },
  patches,
  word: process.argv[2] ?? '',
});
