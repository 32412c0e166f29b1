import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CheckClient } from '../check-client.ts';
import { removeFolder, temporaryFolder } from '../folder.ts';
import { Sidecar } from '../sidecar.ts';
import { ending } from '../started.ts';
import { type World, workload } from '../world.ts';
import { makeWorldKeys, writeMesh } from '../world-keys.ts';

/** Policies on a path, on a workload's path and on the query: without them these would not be looked at. */
const POLICIES = `
@id("cost-path") forbid (principal, action, resource in Mesh::Path::"payments.internal/api/a/a/a/a");
@id("cost-workloads")
permit (principal in Mesh::SpiffePath::"spiffe://prod.example/ns/payments/sa", action == Mesh::Action::"GET", resource)
when { context has query && context.query like "*drop*table*" };
`;

/** The sidecar as a process of its own over the mesh of the golden cases, with limits as they are by default. */
export const CostEstate = { start };
export type CostEstate = Awaited<ReturnType<typeof start>>;

async function start() {
  await using started = new AsyncDisposableStack();
  const folder = started.adopt(temporaryFolder(), removeFolder);
  const keys = makeWorldKeys();
  writeMesh(folder, keys);
  writeFileSync(join(folder, 'policies', 'cost.cedar'), POLICIES);
  const whole = parse(readFileSync(join(folder, 'config.yaml'), 'utf8')) as Record<string, unknown>;
  const { listen: _, audit: __, ...config } = whole;
  // The deadline alone is longer: this machine may be busy.
  const setup = { dir: folder, config: { ...config, limits: { deadline: '30s' } } };
  const sidecar = ending(started, await Sidecar.start(setup));
  const client = started.adopt(new CheckClient(sidecar.check), (one) => one.close());
  const running = started.move();
  return {
    sidecar,
    client,
    /** What the requests of the golden cases are built from. */
    world: { keys, svid: (path: string, parts = {}) => keys.ca.svid(workload(path), parts) } as World,
    /** CPU time of all threads of the sidecar so far, in milliseconds; the scheduler of Linux counts nanoseconds. */
    cpuMs: (): number => {
      const tasks = `/proc/${sidecar.pid}/task`;
      let nanoseconds = 0;
      for (const task of readdirSync(tasks)) {
        try {
          nanoseconds += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ', 1)[0]);
        } catch {
          // The thread has ended in between.
        }
      }
      return nanoseconds / 1e6;
    },
    /** Empties the audit file, as a rotation by copytruncate does: many long lines would fill the disk. */
    forgetAudit: (): void => truncateSync(sidecar.auditFile),
    stop: () => running.disposeAsync(),
  };
}
