import { cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { CheckClient } from '../check-client.ts';
import { removeFolder, temporaryFolder } from '../folder.ts';
import { Sidecar } from '../sidecar.ts';
import type { World } from '../world.ts';
import { workload } from '../world.ts';
import { makeWorldKeys, type WorldKeys, writeTrust } from '../world-keys.ts';

const mesh = join(import.meta.dirname, '..', '..', 'cases', 'mesh');

/** Policies on a path, on a workload's path and on the query: without them these would not be looked at. */
const POLICIES = `
@id("cost-path") forbid (principal, action, resource in Mesh::Path::"payments.internal/api/a/a/a/a");
@id("cost-workloads")
permit (principal in Mesh::SpiffePath::"spiffe://prod.example/ns/payments/sa", action == Mesh::Action::"GET", resource)
when { context has query && context.query like "*drop*table*" };
`;

/** The sidecar as a process of its own over the mesh of the golden cases, with limits as they are by default. */
export class CostEstate {
  readonly sidecar: Sidecar;
  readonly client: CheckClient;
  /** What the requests of the golden cases are built from. */
  readonly world: World;
  readonly #folder: string;

  private constructor(folder: string, keys: WorldKeys, sidecar: Sidecar) {
    this.#folder = folder;
    this.sidecar = sidecar;
    this.client = new CheckClient(sidecar.check);
    this.world = { keys, svid: (path: string, parts = {}) => keys.ca.svid(workload(path), parts) } as World;
  }

  static async start(): Promise<CostEstate> {
    const folder = temporaryFolder();
    try {
      cpSync(mesh, folder, { recursive: true });
      const keys = makeWorldKeys();
      writeTrust(folder, keys);
      writeFileSync(join(folder, 'policies', 'cost.cedar'), POLICIES);
      const whole = parse(readFileSync(join(folder, 'config.yaml'), 'utf8')) as Record<string, unknown>;
      const { listen: _, audit: __, ...config } = whole;
      // The deadline alone is longer: this machine may be busy.
      const sidecar = await Sidecar.start({ dir: folder, config: { ...config, limits: { deadline: '30s' } } });
      return new CostEstate(folder, keys, sidecar);
    } catch (error) {
      removeFolder(folder);
      throw error;
    }
  }

  /** CPU time of all threads of the sidecar so far, in milliseconds; the scheduler of Linux counts nanoseconds. */
  cpuMs(): number {
    const tasks = `/proc/${this.sidecar.pid}/task`;
    let nanoseconds = 0;
    for (const task of readdirSync(tasks)) {
      try {
        nanoseconds += Number(readFileSync(`${tasks}/${task}/schedstat`, 'utf8').split(' ', 1)[0]);
      } catch {
        // The thread has ended in between.
      }
    }
    return nanoseconds / 1e6;
  }

  /** Empties the audit file, as a rotation by copytruncate does: many long lines would fill the disk. */
  forgetAudit(): void {
    truncateSync(this.sidecar.auditFile);
  }

  async stop(): Promise<void> {
    this.client.close();
    await this.sidecar.stop();
    removeFolder(this.#folder);
  }
}
