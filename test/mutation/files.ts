import { type Patch, runSoakMutation } from './soak.ts';

/**
 * Can the soak of files fail? What keeps half-written files from being served is taken out: that they rest before they are
 * judged, and that they are read once more before they are installed. A state that may not be served at all is there for
 * less time than either takes, so that each alone keeps it off.
 */
const holder = 'src/policy/load/holder.ts';
const patches: readonly Patch[] = [
  ['files are read again', holder, ['if (stamp !== reading.stamp) continue;', '']],
  [
    'files rest, and are read again',
    holder,
    ['const reading = await settledReading(() => this.#read(), this.#seen);', 'const reading = await this.#read();'],
    ['if (stamp !== reading.stamp) continue;', ''],
  ],
];

// The soak ends at the first fault.
process.exitCode = await runSoakMutation({
  args: ['files', '60', '1'],
  env: { FILES_SEED: '1' },
  patches,
  word: process.argv[2] ?? '',
});
