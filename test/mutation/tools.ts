import { type Patch, runSoakMutation } from './soak.ts';

/**
 * Can the soak of the tools fail? One thing after another that makes the tools agree with the check is taken out.
 * `node test/mutation/tools.ts [WORD]` takes those whose name holds the word.
 */
const patches: readonly Patch[] = [
  [
    'reach and check sample what templates cover together',
    'src/tools/samples.ts',
    [
      'const covered = overlaps([...templates, ...templates.map(folded), ...named]);',
      'const covered = templates.flatMap((one) => overlaps([one, folded(one), ...named]) ?? []);',
    ],
  ],
  [
    'reach takes a task that is not stated for unknown',
    'src/tools/reach.ts',
    ["return [...open, 'task'];", 'return open;'],
  ],
  ['reach takes a chain that is not stated for unknown', 'src/tools/reach.ts', ["open.push('chain')", 'void 0']],
  [
    'reach takes a credential that is not stated for unknown',
    'src/tools/reach.ts',
    ["open.push('credential')", 'void 0'],
  ],
  [
    'reach takes a client that is not stated for unknown',
    'src/tools/reach.ts',
    ["open.push('client', 'inNetworks')", 'void 0'],
  ],
  [
    'a shadowed permit has to complete all hops',
    'src/policy/decide/shadow.ts',
    ['const completes = verdicts.every(', 'const completes = verdicts.some('],
  ],
  [
    'a shadowed forbid turns no refusal',
    'src/policy/decide/shadow.ts',
    ['if (!allowed) {', 'if (!allowed && false) {'],
  ],
  [
    'test and explain read requests as the check does',
    'src/policy/load/scenario.ts',
    [
      'if (read instanceof Refusal) return read;',
      'if (read instanceof Refusal) return { method, host: authority, path: target, query: null };',
    ],
  ],
  [
    'replay looks at refusals that came before policies',
    'src/tools/replay.ts',
    ['const now = reopening(refused, inventory);', "const now: string = 'refused';"],
  ],
  [
    'a workload that is registered now opens',
    'src/tools/reopened.ts',
    ["['caller_unregistered', workloadOpened],", ''],
  ],
  ['a chain that is registered now opens', 'src/tools/reopened.ts', ["['chain_unregistered', workloadOpened],", '']],
  ['a host that is listed now opens', 'src/tools/reopened.ts', ["['request_host_unknown', targetOpened],", '']],
  ['a method that is listed now opens', 'src/tools/reopened.ts', ["['request_method_not_allowed', targetOpened],", '']],
  [
    'replay judges no line without what policies read',
    'src/tools/audited.ts',
    ['if (readsQuery && holdsDigest', 'if (false && holdsDigest'],
  ],
  ['replay keeps the headers that policies read', 'src/tools/audited.ts', ["declared.get(name) === 'string'", 'false']],
  [
    'an approval is asked for where a permit waits',
    'src/policy/decide/snapshot.ts',
    ["return lifted.decision === 'allow' ? missing : [];", 'return missing;'],
  ],
];

// The soak ends at the first contradiction.
process.exitCode = await runSoakMutation({
  args: ['tools', '80', '1'],
  env: { TOOLS_SEED: '1' },
  patches,
  word: process.argv[2] ?? '',
});
