import { type Patch, runSoakMutation } from './soak.ts';

/**
 * Can the soaks of single use fail? What keeps a proof from being used again in data that lost it is taken out: that a claim
 * needs the history by which it was judged, and that proofs that are older than the memory do not count.
 */
const stored: readonly Patch[] = [
  [
    'a claim needs the history by which it was judged',
    'src/state/redis/scripts.ts',
    ["if known ~= ARGV[1] or string.sub(known, 1, #id) ~= id then return {'history'} end", ''],
  ],
  [
    'proofs from before a history do not count in it',
    'src/state/redis/session.ts',
    ['sinceMs: beginningOf(id) + MAX_SKEW_MS', 'sinceMs: 0'],
  ],
];
const remembered: readonly Patch[] = [
  ['proofs from before the process do not count', 'src/state/memory.ts', ['sinceMs: startedAtMs }', 'sinceMs: 0 }']],
];

/** The worst exit code; 1 where no rule holds the word. */
async function mutate(word: string): Promise<number> {
  const soaks = [
    { args: ['state', 'short', 'FLUSHALL'], patches: stored },
    { args: ['memory-restarts', '8'], patches: remembered },
  ] as const;
  const codes: number[] = [];
  for (const { args, patches } of soaks)
    if (patches.some(([rule]) => rule.includes(word)))
      codes.push(await runSoakMutation({ args, env: {}, patches, word }));
  return codes.length === 0 ? 1 : Math.max(...codes);
}

process.exitCode = await mutate(process.argv[2] ?? '');
