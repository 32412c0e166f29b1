import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal } from '../../src/base/outcome.ts';
import { readRequest } from '../../src/envoy/request.ts';
import { received, requestOptions } from '../support/check-request.ts';
import { type CorpusResult, corporaDir } from '../support/corpora.ts';

/** A path as a client writes it, and as a proxy would hand it on; `out` null must be refused. */
interface Pair {
  readonly in: string;
  readonly out: string | null;
}

/** Paths that a policy speaks of, besides each pair's own. */
const spokenOf = ['/', '/admin', '/app', '/public'];

/**
 * Two spellings of one path never get different answers. For every pair of Istio's and Envoy's normalization tests, the
 * decision about `in` equals that about `out`, or is a refusal: under a policy that permits all but a path, and under one
 * that permits only that path, with whole segments as Cedar's Path entities have them. Each pair is read strictly and
 * with merged slashes.
 *
 * The note counts the pairs that are decided, not refused, as `in` and as `out`. Most of Istio's others can be decided by
 * nobody who refuses what no UTF-8 reader understands: 128 of them are single bytes from %80 to %ff, 33 are controls.
 */
export function run(): CorpusResult {
  const failures: string[] = [];
  const notes: string[] = [];
  let passed = 0;
  for (const [source, pairs] of [
    ['istio', istio()],
    ['envoy', envoy()],
  ] as const) {
    let ins = 0;
    let outs = 0;
    for (const pair of pairs) {
      const fault = faultOf(pair);
      if (fault === null) passed++;
      else failures.push(`${source}: ${JSON.stringify(pair)}: ${fault}`);
      if (isDecided(pair.in)) ins++;
      if (pair.out !== null && isDecided(pair.out)) outs++;
    }
    notes.push(`${source} ${pairs.length} pairs, decided ${outs} as out, ${ins} as in`);
  }
  return { passed, failures, excepted: 0, note: notes.join('; ') };
}

function faultOf(pair: Pair): string | null {
  for (const mergeSlashes of [false, true]) {
    const written = decodedPath(pair.in, mergeSlashes);
    if (written === null) continue;
    const handedOn = pair.out === null ? null : decodedPath(pair.out, mergeSlashes);
    for (const named of [...spokenOf, written, ...(handedOn === null ? [] : [handedOn])]) {
      const within = isWithin(written, named);
      // A refused `out` is a denial, under either policy.
      const permitted = handedOn !== null && isWithin(handedOn, named);
      const unforbidden = handedOn !== null && !isWithin(handedOn, named);
      if (within !== permitted) return `a permit on ${named} decides otherwise`;
      if (!within !== unforbidden) return `a forbid on ${named} decides otherwise`;
    }
  }
  return null;
}

function isDecided(path: string): boolean {
  return decodedPath(path, false) !== null || decodedPath(path, true) !== null;
}

/** The path that policies see, or null where the request is refused. */
function decodedPath(path: string, mergeSlashes: boolean): string | null {
  const input = readRequest(received({ path }), { checkPeer: null }, { ...requestOptions, mergeSlashes });
  return input instanceof Refusal ? null : input.path;
}

function isWithin(path: string, prefix: string): boolean {
  const whole = segments(path);
  return segments(prefix).every((segment, index) => whole[index] === segment);
}

function segments(path: string): readonly string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function istio(): readonly Pair[] {
  const { cases } = load('istio.json') as { cases: readonly { in: string; out: string }[] };
  return cases.map((pair) => ({ in: pair.in, out: pair.out === '400' ? null : pair.out }));
}

function envoy(): readonly Pair[] {
  type Group = readonly (readonly [string, string])[];
  const groups = load('envoy.json') as {
    rfc_normalize: Group;
    merge_slashes: Group;
    strip_query_fragment: Group;
    reject: readonly string[];
  };
  const normalized = [...groups.rfc_normalize, ...groups.merge_slashes, ...groups.strip_query_fragment];
  return [
    ...normalized.map(([written, handedOn]) => ({ in: written, out: handedOn })),
    ...groups.reject.map((written) => ({ in: written, out: null })),
  ];
}

function load(file: string): unknown {
  return JSON.parse(readFileSync(join(corporaDir, 'paths', file), 'utf8'));
}
