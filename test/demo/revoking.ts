import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Prepare } from '../support/estate.ts';
import { workload } from '../support/estate.ts';
import { until } from '../support/until.ts';
import { allowed, denied, LEDGER, type Row, type Stage, send } from './rows.ts';

const PATH = '/api/invoices/42';
const FILE = 'revocations.yaml';

/** Lets the sidecar read a file of revocations, which holds none yet. */
export const readRevocations: Prepare = (dir) => {
  writeFileSync(join(dir, FILE), 'revocations: []\n');
  return { revocations: { file: `./${FILE}` } };
};

/** A certificate that was good a second before is refused once its workload is revoked, and is good again after the lift. */
export function revocationRows(): readonly Row[] {
  const entry = {
    id: 'demo',
    workload: workload(LEDGER),
    until: new Date(Date.now() + 3_600_000).toISOString(),
    reason: 'shown in the demo',
    by: 'demo',
  };
  const after =
    (revocations: readonly object[]) =>
    async ({ estate }: Stage) => {
      const { sidecar, envoy } = estate;
      // JSON is YAML.
      writeFileSync(join(dirname(sidecar.auditFile), FILE), JSON.stringify({ revocations }));
      await until('the revocations', async () =>
        (await sidecar.metric('authz_revocations')) === revocations.length ? true : null,
      );
      return await send(envoy, await estate.svid(LEDGER), { path: PATH });
    };
  const [who, task] = ['ledger (service)', '–'];
  return [
    {
      who,
      task,
      request: `GET ${PATH}, revoked by file just now`,
      expected: denied('revoked_workload'),
      play: after([entry]),
    },
    { who, task, request: `GET ${PATH}, revocation lifted`, expected: allowed, play: after([]) },
  ];
}
