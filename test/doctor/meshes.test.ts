import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { at, findingsIn, goods, type Json, set } from '../support/doctor/goods.ts';
import { removeFolder, temporaryFolder } from '../support/folder.ts';

/** What meshes write in ways of their own, and the doctor has to read: each beside the same with one thing missing. */

const dir = temporaryFolder();
after(() => removeFolder(dir));

const LISTENER = 'static_resources.listeners.0';
const CHAIN = `${LISTENER}.filter_chains.0`;
const MANAGER = `${CHAIN}.filters.0.typed_config`;
const FILTERS = `${MANAGER}.http_filters`;
const AUTHZ = `${FILTERS}.0.typed_config`;
const HOST = `${MANAGER}.route_config.virtual_hosts.0`;
const NAME = 'envoy.filters.http.ext_authz';
const TYPE = 'type.googleapis.com/envoy.extensions.filters';
const ENVOY = 'spiffe://prod.example/ns/payments/sa/envoy';

const codes = async (envoy: Json, product: Json | null = null, served?: Map<string, Set<string>>) =>
  (await findingsIn(dir, envoy, product, served)).map(({ code, place }) =>
    place.route === undefined ? code : `${code} of route ${place.route}`,
  );

/** The RBAC filter and the matcher by which Istio writes an AuthorizationPolicy of the action CUSTOM. */
function marked(envoy: Json, policies: Json, prefix = 'istio-ext-authz-authz'): void {
  const rbac = {
    name: 'envoy.filters.http.rbac',
    typed_config: {
      '@type': `${TYPE}.http.rbac.v3.RBAC`,
      shadow_rules: { action: 'DENY', policies },
      shadow_rules_stat_prefix: 'istio_ext_authz_',
    },
  };
  set(envoy, `${AUTHZ}.filter_enabled_metadata`, {
    filter: 'envoy.filters.http.rbac',
    path: [{ key: 'istio_ext_authz_shadow_effective_policy_id' }],
    value: { string_match: { prefix } },
  });
  set(envoy, FILTERS, [rbac, ...(at(envoy, FILTERS) as Json[])]);
}
const policyName = (name: string) => `istio-ext-authz-authz-ns[payments]-policy[${name}]-rule[0]`;
const any = { and_rules: { rules: [{ any: true }] } };
const anybody = { and_ids: { ids: [{ any: true }] } };
const onlyApi = { and_rules: { rules: [{ url_path: { path: { prefix: '/api' } } }] } };
const all = { permissions: [any], principals: [anybody] };

test('a filter that a policy of Istio marks runs always if the policy matches everything, and else it does not', async () => {
  const rows: readonly (readonly [name: string, policies: Json, prefix: string, found: readonly string[]])[] = [
    ['all', { [policyName('a')]: all }, 'istio-ext-authz-authz', []],
    [
      'all beside a part',
      { [policyName('a')]: { permissions: [onlyApi], principals: [anybody] }, [policyName('b')]: all },
      'istio-ext-authz-authz',
      [],
    ],
    [
      'a part',
      { [policyName('a')]: { permissions: [onlyApi], principals: [anybody] } },
      'istio-ext-authz-authz',
      ['filter-conditional'],
    ],
    [
      'nobody',
      { [policyName('a')]: { permissions: [{ not_rule: { any: true } }], principals: [anybody] } },
      'istio-ext-authz-authz',
      ['filter-conditional'],
    ],
    ['a condition', { [policyName('a')]: { ...all, condition: {} } }, 'istio-ext-authz-authz', ['filter-conditional']],
    ['another provider', { [policyName('a')]: all }, 'istio-ext-authz-other', ['filter-conditional']],
    [
      'another policy first',
      { [policyName('a')]: all, 'another-policy': all },
      'istio-ext-authz-authz',
      ['filter-conditional'],
    ],
  ];
  for (const [name, policies, prefix, found] of rows) {
    const { envoy } = goods.uds();
    marked(envoy, policies, prefix);
    assert.deepEqual(await codes(envoy), found, name);
  }
  const { envoy } = goods.uds();
  marked(envoy, { [policyName('a')]: all });
  set(envoy, `${AUTHZ}.shadow_rules_stat_prefix`, 'other_');
  assert.deepEqual(await codes(envoy), ['filter-conditional'], 'another key');
});

test('a mark that is off, or another one on a route, is no mark', async () => {
  const off = goods.uds().envoy;
  marked(off, { [policyName('a')]: all });
  assert.deepEqual(await codes(off), []);
  set(off, `${FILTERS}.0.disabled`, true);
  assert.deepEqual(await codes(off), ['filter-conditional']);
  const routed = goods.uds().envoy;
  marked(routed, { [policyName('a')]: all });
  const perRoute = { '@type': `${TYPE}.http.rbac.v3.RBACPerRoute` };
  set(routed, `${HOST}.routes.1.typed_per_filter_config`, { 'envoy.filters.http.rbac': perRoute });
  assert.deepEqual(await codes(routed), ['filter-conditional of route 2']);
});

test('a filter that is off until a route turns it on is found on each route that does not', async () => {
  const { envoy } = goods.uds();
  set(envoy, `${FILTERS}.0.disabled`, true);
  assert.deepEqual(await codes(envoy), [], 'the virtual host turns it on');
  const ofHost = (at(envoy, `${HOST}.typed_per_filter_config`) as Json)[NAME];
  set(envoy, `${HOST}.typed_per_filter_config`, undefined);
  assert.deepEqual(await codes(envoy), ['filter-disabled of route 2']);
  const wrapped = { '@type': 'type.googleapis.com/envoy.config.route.v3.FilterConfig', config: ofHost };
  set(envoy, `${HOST}.routes.1.typed_per_filter_config`, { [NAME]: wrapped });
  assert.deepEqual(await codes(envoy), []);
  set(envoy, `${HOST}.routes.1.typed_per_filter_config`, { [NAME]: { ...wrapped, disabled: true } });
  assert.deepEqual(await codes(envoy), ['route-disabled of route 2', 'filter-disabled of route 2']);
});

test('a filter chain of bytes is closed where the sidecar is asked about each connection, or nothing is behind it', async () => {
  const authz = {
    name: 'envoy.filters.network.ext_authz',
    typed_config: {
      '@type': `${TYPE}.network.ext_authz.v3.ExtAuthz`,
      grpc_service: { envoy_grpc: { cluster_name: 'cedar-ext-authz' } },
    },
  };
  const proxy = (cluster: string) => ({
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: { '@type': `${TYPE}.network.tcp_proxy.v3.TcpProxy`, stat_prefix: 'raw', cluster },
  });
  const rows: readonly (readonly [name: string, filters: readonly Json[], found: readonly string[]])[] = [
    ['asked', [authz, proxy('service')], []],
    [
      'fails open',
      [{ ...authz, typed_config: { ...authz.typed_config, failure_mode_allow: true } }, proxy('service')],
      ['listener-unchecked'],
    ],
    [
      'for a part',
      [
        {
          ...authz,
          typed_config: {
            ...authz.typed_config,
            filter_enabled_metadata: { filter: 'x', path: [{ key: 'y' }], value: { present_match: true } },
          },
        },
        proxy('service'),
      ],
      ['listener-unchecked'],
    ],
    ['a service', [proxy('service')], ['listener-unchecked']],
    ['nowhere', [proxy('blackhole')], []],
  ];
  for (const [name, filters, found] of rows) {
    const { envoy } = goods.uds();
    set(envoy, `${LISTENER}.filter_chains.1`, { filters });
    set(envoy, 'static_resources.clusters.2', { name: 'blackhole', type: 'STATIC', connect_timeout: '1s' });
    assert.deepEqual(await codes(envoy), found, name);
  }
});

test('endpoints that are discovered are read from the dump, and are a finding where it has none', async () => {
  const { envoy } = goods.tcp();
  const clusters = at(envoy, 'static_resources.clusters') as Json[];
  const { load_assignment: endpoints, ...rest } = clusters[1]!;
  const typed = (name: string, value: unknown) => ({
    '@type': `type.googleapis.com/envoy.admin.v3.${name}`,
    ...(value as Json),
  });
  const listener = at(envoy, LISTENER);
  const dump = (address: string | null): Json => {
    const endpoint = structuredClone(endpoints) as Json;
    if (address !== null) set(endpoint, 'endpoints.0.lb_endpoints.0.endpoint.address.socket_address.address', address);
    return {
      configs: [
        typed('ListenersConfigDump', { static_listeners: [{ listener }] }),
        typed('ClustersConfigDump', {
          dynamic_active_clusters: [
            { cluster: { ...rest, type: 'EDS', eds_cluster_config: { service_name: 'cedar-ext-authz' } } },
          ],
        }),
        ...(address === null
          ? []
          : [typed('EndpointsConfigDump', { dynamic_endpoint_configs: [{ endpoint_config: endpoint }] })]),
      ],
    };
  };
  assert.deepEqual(await codes(dump('127.0.0.1')), []);
  assert.deepEqual(await codes(dump('10.0.0.7')), ['sidecar-plaintext']);
  assert.deepEqual(await codes(dump(null)), ['unseen']);
});

test('a listener that is skipped is named, or its address is', async () => {
  const { envoy } = goods.uds();
  const { name: _, ...unnamed } = structuredClone(at(envoy, LISTENER)) as Json;
  set(unnamed, 'address.socket_address.port_value', 15090);
  set(unnamed, 'filter_chains.0.filters.0.typed_config.http_filters.0', undefined);
  set(envoy, 'static_resources.listeners.1', unnamed);
  const { code } = (await findingsIn(dir, envoy, null))[0]!;
  assert.equal(code, 'filter-missing');
  assert.deepEqual(await findingsIn(dir, envoy, null, undefined, ['0.0.0.0:15090']), []);
});

test('servedBy of the inventory assigns hosts to the ids that this Envoy shows, and to peers', async () => {
  const { envoy, product } = goods.spire();
  set(envoy, `${HOST}.typed_per_filter_config`, undefined);
  const of = (sidecar: Json, pairs: Readonly<Record<string, readonly string[]>>) =>
    codes(envoy, sidecar, new Map(Object.entries(pairs).map(([host, ids]) => [host, new Set(ids)])));
  const unnamed = { ...product, hosts: [] };
  const unserved = ['host-unserved of route 1', 'host-unserved of route 2'];
  assert.deepEqual(await of(unnamed, { 'payments.internal': [ENVOY] }), []);
  assert.deepEqual(await of(unnamed, { 'payments.internal': ['spiffe://prod.example/ns/orders/sa/envoy'] }), unserved);
  assert.deepEqual(await of(unnamed, {}), unserved);
  assert.deepEqual(
    await of(unnamed, { 'payments.internal': [ENVOY], 'orders.internal': [ENVOY] }),
    unserved,
    'several',
  );
  assert.deepEqual(await of(product, {}), [], 'hosts has it');
  const byServedBy = structuredClone(product);
  set(byServedBy, 'listen.peers', [ENVOY]);
  assert.deepEqual(await of(byServedBy, { 'payments.internal': [ENVOY] }), []);
  assert.deepEqual(await of(byServedBy, { 'orders.internal': [ENVOY] }), ['peer-hosts']);
});

test('the header that a waypoint writes anew is no header of a client; one that it only adds to is', async () => {
  const rows = [
    ['OVERWRITE_IF_EXISTS_OR_ADD', []],
    ['APPEND_IF_EXISTS_OR_ADD', ['xfcc-forwarded']],
    ['ADD_IF_ABSENT', ['xfcc-forwarded']],
  ] as const;
  for (const [append_action, found] of rows) {
    const { envoy } = goods.uds();
    set(envoy, `${MANAGER}.forward_client_cert_details`, 'ALWAYS_FORWARD_ONLY');
    const header = { key: 'x-forwarded-client-cert', value: 'By=%FILTER_STATE(a:PLAIN)%' };
    const mutation = {
      name: 'xfcc',
      typed_config: {
        '@type': `${TYPE}.http.header_mutation.v3.HeaderMutation`,
        mutations: { request_mutations: [{ append: { header, append_action } }] },
      },
    };
    set(envoy, FILTERS, [mutation, ...(at(envoy, FILTERS) as Json[])]);
    assert.deepEqual(await codes(envoy), found, append_action);
  }
  const { envoy } = goods.uds();
  set(envoy, `${LISTENER}.internal_listener`, {});
  set(envoy, `${CHAIN}.transport_socket`, undefined);
  set(envoy, `${AUTHZ}.include_peer_certificate`, undefined);
  assert.deepEqual(await codes(envoy), [], 'nobody connects to an internal listener but this Envoy');
});
