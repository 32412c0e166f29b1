import { connectionManager, type EnvoyTree } from './envoy.ts';

/** Has an Envoy trace every request, and send its spans to a collector on loopback by OTLP over HTTP. */
export function traceTo(tree: EnvoyTree, port: number): void {
  connectionManager(tree).tracing = {
    random_sampling: { value: 100 },
    provider: {
      name: 'envoy.tracers.opentelemetry',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig',
        http_service: {
          http_uri: { uri: `http://127.0.0.1:${port}/v1/traces`, cluster: 'collector', timeout: '5s' },
        },
        service_name: 'envoy',
      },
    },
  };
  tree.static_resources.clusters.push({
    name: 'collector',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: 'collector',
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } }] },
      ],
    } as EnvoyTree['static_resources']['clusters'][number]['load_assignment'],
  });
}
