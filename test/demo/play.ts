import type { Answer } from '../support/client.ts';
import type { AuditLine } from '../support/sidecar.ts';
import type { Row, Stage } from './rows.ts';

/** What came of a row: its cells, and whether it is what had to come. */
export interface Played {
  readonly right: boolean;
  readonly cells: readonly string[];
}

/** Plays one row: the answer, what the audit says of it, and what reached the service. */
export async function play(row: Row, stage: Stage): Promise<Played> {
  const known = new Set(auditedDecisions(stage));
  const seenBefore = stage.estate.upstream.seen.length;
  const answer = await row.play(stage);
  const line = stage.estate.sidecar.audit().findLast(({ decision }) => decision !== undefined && !known.has(decision));
  const seen = stage.estate.upstream.seen.slice(seenBefore);
  const { expected } = row;
  const travelled = expected.status === 200 || expected.status === 101;
  const right =
    answer.status === expected.status &&
    answer.reason === expected.reason &&
    seen.length === (travelled ? (row.travels ?? 1) : 0) &&
    (row.answered === undefined || row.answered(answer)) &&
    (row.also === undefined || row.also(seen[0]));
  const cells = [
    row.who,
    row.task,
    row.request,
    String(expected.status),
    String(answer.status),
    why(answer, line),
    answer.ms.toFixed(0),
    right ? '✓' : `✗ expected ${expected.reason ?? expected.status}`,
  ];
  return { right, cells };
}

/** The permits of an allow, the reason and the forbidding policies of a denial; Envoy's own word where nobody was asked. */
function why(answer: Answer, line: AuditLine | undefined): string {
  if (line === undefined) return answer.status === 503 ? 'Envoy fails closed' : 'Envoy refuses the path';
  const hops = line.hops as readonly { readonly permits: readonly string[]; readonly forbids: readonly string[] }[];
  const policies = hops.flatMap((hop) => (line.result === 'allow' ? hop.permits : hop.forbids));
  if (line.result === 'allow') return policies.join(', ');
  return [line.reason, policies.length === 0 ? '' : `(${[...new Set(policies)].join(', ')})`, asked(answer)]
    .filter((part) => part !== '')
    .join(' ');
}

/** What the client is asked for: the schemes of the challenges, and whether a nonce came along. */
function asked({ headers }: Answer): string {
  const challenges = headers['www-authenticate'];
  if (challenges === undefined) return '';
  const schemes = [...challenges.matchAll(/(?:^|, )(Bearer|DPoP) /g)].map(([, scheme]) => scheme);
  return `→ ${schemes.join(', ')}${headers['dpop-nonce'] === undefined ? '' : ', nonce'}`;
}

function auditedDecisions({ estate: { sidecar } }: Stage): readonly string[] {
  return sidecar.audit().flatMap(({ decision }) => decision ?? []);
}

export const heading = ['who', 'task', 'request', 'expected', 'got', 'why', 'ms', ''];
