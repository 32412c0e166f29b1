import type { Issued } from './ca.ts';
import { connectionManager, type Envoy, type EnvoyTree, startEnvoy } from './envoy.ts';

export type ForwardMode = 'SANITIZE' | 'SANITIZE_SET' | 'APPEND_FORWARD' | 'FORWARD_ONLY';

/** Sets how an Envoy treats x-forwarded-client-cert; what it writes itself holds the certificate. */
export function forwardMode(tree: EnvoyTree, mode: ForwardMode): void {
  const manager = connectionManager(tree);
  manager.forward_client_cert_details = mode;
  manager.set_current_client_cert_details = { cert: true, uri: true };
}

export interface ProxySetup {
  readonly dir: string;
  /** The certificate that the proxy shows to clients and to the next Envoy. */
  readonly svid: Issued;
  readonly bundlePem: string;
  readonly mode: ForwardMode;
  /** The next Envoy, which it reaches by mutual TLS. */
  readonly next: Envoy;
}

/** An Envoy that only passes requests on, over mutual TLS, as an ingress or a mesh gateway does. */
export function startProxy({ mode, next, ...setup }: ProxySetup): Promise<Envoy> {
  const edit = (tree: EnvoyTree): void => {
    forwardMode(tree, mode);
    const manager = connectionManager(tree);
    manager.http_filters = manager.http_filters.filter(({ name }) => name === 'envoy.filters.http.router');
    const service = tree.static_resources.clusters.find(({ name }) => name === 'service');
    service!.transport_socket = {
      name: 'envoy.transport_sockets.tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        common_tls_context: {
          alpn_protocols: ['http/1.1'],
          tls_certificates: [
            { certificate_chain: { filename: 'certs/envoy.pem' }, private_key: { filename: 'certs/envoy.key' } },
          ],
        },
      },
    };
  };
  return startEnvoy({ ...setup, config: 'test-permissive', check: { port: 1 }, upstream: next.port, edit });
}
