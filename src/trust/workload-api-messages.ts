import { join } from 'node:path';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/** The folder of the .proto files: two levels above this file, in `src/` as in `dist/`. */
const includeDirs = [join(import.meta.dirname, '..', '..', 'proto')];

/** The service `SpiffeWorkloadAPI`, which stands in no package. Names stay as the specification writes them. */
export const workloadApi = loadSync('workload.proto', { keepCase: true, longs: String, defaults: true, includeDirs })
  .SpiffeWorkloadAPI as ServiceDefinition;

/** Bundles by the SPIFFE ID of their trust domain (`spiffe://prod.example`). */
export type BundleMap = Readonly<Record<string, Uint8Array>>;

/** X509BundlesResponse: DER certificates one after another. JWTBundlesResponse: JWK sets whose keys state no `use`. */
export interface BundlesMessage {
  readonly bundles: BundleMap;
}

/** X509SVIDResponse, as far as it is read here: the bundles have a stream of their own. */
export interface X509SvidMessage {
  readonly svids: readonly {
    readonly spiffe_id: string;
    /** DER certificates one after another, the leaf first. */
    readonly x509_svid: Uint8Array;
    /** PKCS#8 DER. */
    readonly x509_svid_key: Uint8Array;
  }[];
}

/** The streams that this sidecar reads (SPIFFE Workload API sections 5.2 and 6.2). */
export const streams = {
  x509Bundles: workloadApi.FetchX509Bundles as MethodDefinition<object, BundlesMessage>,
  jwtBundles: workloadApi.FetchJWTBundles as MethodDefinition<object, BundlesMessage>,
  x509Svid: workloadApi.FetchX509SVID as MethodDefinition<object, X509SvidMessage>,
} as const;
