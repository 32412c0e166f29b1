import { parse } from 'yaml';
import { blocks, page } from '../docs/markdown.ts';
import { connectionManager, type EnvoyTree } from './envoy.ts';

/** Has an Envoy trace every request as docs/tracing.md says, and send its spans to a collector on loopback by OTLP over HTTP. */
export function traceTo(tree: EnvoyTree, port: number): void {
  const { text } = blocks(page('docs/tracing.md').text).find(({ info }) => info === 'yaml envoy')!;
  const { tracing } = parse(text) as { tracing: { random_sampling: { value: number } } };
  tracing.random_sampling.value = 100;
  connectionManager(tree).tracing = tracing;
  tree.static_resources.clusters.push({
    name: 'otel-collector',
    connect_timeout: '5s',
    load_assignment: {
      cluster_name: 'otel-collector',
      endpoints: [
        { lb_endpoints: [{ endpoint: { address: { socket_address: { address: '127.0.0.1', port_value: port } } } }] },
      ],
    } as EnvoyTree['static_resources']['clusters'][number]['load_assignment'],
  });
}
