import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ApprovalRequest, GrantOrder } from '../../src/state/approvals/book.ts';
import type { Answer, Ask } from './world.ts';

/** A person who approves. */
export const ANN = '["https://idp.example","ann"]';

/** A refund, with its body as Envoy sends it. */
export interface Refund extends Partial<Ask> {
  readonly body?: string | Uint8Array;
}

/** The agent may announce releases within its task, on its own and when the orchestrator handed it on, once a person approved. */
const RELEASES_POLICY = `
@id("finance-announces-releases")
permit (principal, action == Mesh::Action::"POST", resource in Mesh::Api::"payments.internal/releases")
when { context has task && context.task.purpose in Mesh::Purpose::"finance" };
@id("agents-announce-with-an-approval")
@approval("release-manager")
@approval_uses("7")
@approval_for("1h")
forbid (principal is Mesh::Workload in Mesh::Group::"finance-agents", action, resource in Mesh::Api::"payments.internal/releases")
unless { context.approvals.contains("release-manager") };
`;
export const RELEASES = '/api/releases';

/** Has releases wait for a person: prepares the folder of a configuration. */
export function askForReleases(folder: string): void {
  writeFileSync(join(folder, 'policies', 'releases.cedar'), RELEASES_POLICY);
  const inventory = join(folder, 'inventory.yaml');
  const text = readFileSync(inventory, 'utf8');
  writeFileSync(inventory, text.replace('[resource-owner]', '[resource-owner, release-manager, security]'));
}

let made = 0;

/** A request for a refund, or for what has another path, that nobody made before, unless its path is given. */
export function refund({ body = '{"amount":120}', headers, ...over }: Refund = {}): Partial<Ask> {
  return {
    method: 'POST',
    path: `/api/refunds?case=${++made}`,
    headers: {
      'content-type': 'application/json',
      'content-length': String(body.length),
      'x-envoy-auth-partial-body': 'false',
      ...headers,
    },
    http: { raw_body: Buffer.from(body) },
    route: { body: '8192' },
    ...over,
  };
}

/** The same of a release, as the agent announces it. */
export const release = (over: Refund = {}): Partial<Ask> => refund({ path: `${RELEASES}?case=${++made}`, ...over });

/** The problem document of a denial. */
export interface Problem {
  readonly reason: string;
  readonly approval?: { readonly id: string; readonly expires_at: string; readonly status_url?: string };
}

export const problem = ({ wire }: Answer): Problem => JSON.parse(wire.denied?.body ?? '{}') as Problem;

/** One person's yes to this request, for one use within a minute. */
export const consentTo = ({ id, order }: ApprovalRequest, over: Partial<GrantOrder> = {}): GrantOrder => ({
  id,
  digest: order.digest,
  approvals: order.approvals,
  by: ANN,
  reason: 'agreed',
  quorum: 1,
  uses: 1,
  useForMs: 60_000,
  ...over,
});
