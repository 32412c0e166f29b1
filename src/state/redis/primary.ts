import { Fault } from '../../base/fault.ts';
import { Link } from './link.ts';
import { type Endpoint, type StoreOptions, textOf } from './options.ts';

/** The longest name of a host (RFC 1035 section 2.3.4). */
const MAX_HOST = 255;

/**
 * Which server is the primary now: the configured one, or the one that the first Sentinel that answers names. Whether it is
 * one is for whoever connects to ask it (Sentinel client guide, step 3). Never rejects.
 */
export async function findPrimary(
  { endpoint, sentinels, tls }: StoreOptions,
  timeoutMs: number,
): Promise<Endpoint | Fault> {
  if (sentinels === null) return endpoint ?? new Fault('no server is configured');
  const faults: string[] = [];
  for (const address of sentinels.addresses) {
    const at: Endpoint = { kind: 'tcp', ...address };
    const link = await Link.open({ endpoint: at, database: 0, tls, user: sentinels.user, timeoutMs });
    if (link instanceof Fault) {
      faults.push(link.detail);
      continue;
    }
    const reply = await link.call(['SENTINEL', 'GET-MASTER-ADDR-BY-NAME', sentinels.name], timeoutMs);
    link.close();
    const [host, port] = Array.isArray(reply) ? reply.map(String) : [];
    if (host !== undefined && host.length <= MAX_HOST && /^\d{1,5}$/.test(port ?? ''))
      return { kind: 'tcp', host, port: Number(port) };
    faults.push(`${textOf(at)}: ${reply instanceof Fault ? reply.detail : `it knows no primary ${sentinels.name}`}`);
  }
  return new Fault(`no Sentinel names the primary: ${faults.join('; ')}`);
}
