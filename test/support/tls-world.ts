import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Issued } from './ca.ts';
import { World, type WorldOptions, workload } from './world.ts';

/** The SPIFFE ID by which the sidecar is known in these worlds. */
export const AUTHZ = workload('/ns/platform/sa/authz');

/** Writes the certificate and the key of the check port, as cert-manager names them. */
export function writePair(folder: string, { pem, pkcs8Pem }: Pick<Issued, 'pem' | 'pkcs8Pem'>): void {
  writeFileSync(join(folder, 'tls.crt'), pem);
  writeFileSync(join(folder, 'tls.key'), pkcs8Pem);
}

/** The mesh behind a check port with mutual TLS by files. `listen` says who may ask; `prepare` writes more files. */
export function startTlsWorld(
  listen: Readonly<Record<string, unknown>>,
  prepare: WorldOptions['prepare'] = () => {},
): Promise<World> {
  return World.start({
    edit: servingTls(listen),
    prepare: (folder, keys) => {
      writePair(folder, keys.ca.svid(AUTHZ));
      prepare(folder, keys);
    },
  });
}

/** Changes a configuration so that its check port asks for certificates; its own is that of `writePair`. */
export const servingTls =
  (listen: Readonly<Record<string, unknown>>): NonNullable<WorldOptions['edit']> =>
  (config) => {
    const tls = { files: { certificate: './tls.crt', key: './tls.key' } };
    config.log = { level: 'info' };
    config.limits = { ...config.limits, drainDelay: '0s' };
    config.listen = { check: '127.0.0.1:0', status: '127.0.0.1:0', tls, ...listen };
  };
