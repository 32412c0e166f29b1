import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { TRUST_DOMAIN } from '../../support/estate.ts';
import { goTool } from '../../support/go-tool.ts';
import { JwksServer } from '../../support/jwks-server.ts';
import { freePort } from '../../support/ports.ts';
import { Program } from '../../support/process.ts';
import { type TaskIssuer, TTS } from '../../support/task-issuer.ts';
import { jwk } from '../../support/tokens.ts';
import { until } from '../../support/until.ts';
import { AGENT, LEDGER } from '../messages.ts';
import { type Contender, onServerCore } from './servers.ts';

/** Requests to this host name their caller in x-forwarded-client-cert, as Heimdall's only way to learn of a certificate. */
export const NAMED_HOST = 'named.internal';
const FLAGS = ['--envoy-grpc', '--insecure-skip-ingress-tls-enforcement', '--insecure-skip-egress-tls-enforcement'];

/**
 * Heimdall, as its documentation sets it up behind Envoy, without a log of requests. Its job is ours as far as it goes: of six
 * routes the one that fits by path and method, the ES256 signature, issuer, audience and times of the task token, and
 * the purpose that the route asks for. It keeps no memory of tokens, reads no certificate and writes no audit.
 */
export async function startHeimdall(dir: string, issuer: TaskIssuer): Promise<Contender> {
  const binary = await goTool('heimdall');
  const keys = await JwksServer.start();
  keys.serve('/jwks', { keys: [jwk(issuer.keys.tts, { use: 'sig', alg: 'ES256' })] });
  const [port, management] = [await freePort(), await freePort()];
  const rules = join(dir, 'heimdall-rules.yaml');
  const file = join(dir, 'heimdall.yaml');
  // JSON is YAML.
  writeFileSync(rules, JSON.stringify({ version: '1alpha4', name: 'bench', rules: routes() }));
  writeFileSync(file, JSON.stringify(configuration(port, management, `${keys.url}/jwks`, rules)));
  const { file: taskset, args } = onServerCore(binary, ['serve', 'decision', '-c', file, ...FLAGS]);
  const program = new Program('Heimdall', taskset, args, { env: { ...process.env, GOMAXPROCS: '1' } });
  await until('Heimdall', async () => {
    program.assertRunning();
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    return true;
  });
  return {
    name: 'heimdall',
    port,
    pid: program.pid,
    stop: async () => {
      await program.stop();
      await keys.stop();
    },
  };
}

function configuration(port: number, management: number, jwks: string, rules: string): object {
  const id = { issuers: [TTS], audience: [TRUST_DOMAIN], allowed_algorithms: ['ES256'] };
  return {
    serve: { host: '127.0.0.1', port },
    management: { host: '127.0.0.1', port: management },
    log: { level: 'error' },
    tracing: { enabled: false },
    metrics: { enabled: false },
    mechanisms: {
      authenticators: [
        { id: 'nobody', type: 'unauthorized' },
        { id: 'anybody', type: 'anonymous' },
        {
          id: 'task',
          type: 'jwt',
          config: { jwks_endpoint: { url: jwks }, jwt_source: [{ header: 'Txn-Token' }], assertions: id },
        },
      ],
      authorizers: [
        {
          id: 'purpose',
          type: 'cel',
          config: {
            values: { purpose: '' },
            expressions: [
              { expression: `Subject.Attributes.req_wl == "${AGENT}"` },
              { expression: 'Subject.Attributes.tctx.purpose == Values.purpose' },
            ],
          },
        },
        {
          id: 'named',
          type: 'cel',
          config: {
            expressions: [{ expression: `Request.Header("X-Forwarded-Client-Cert").endsWith("URI=${LEDGER}")` }],
          },
        },
      ],
      finalizers: [{ id: 'nothing', type: 'noop' }],
    },
    default_rule: { execute: [{ authenticator: 'nobody' }] },
    providers: { file_system: { src: rules, watch: false } },
  };
}

function routes(): readonly object[] {
  const rule = (path: string, method: string, purpose: string) => ({
    id: `${method} ${path}`,
    match: { routes: [{ path }], methods: [method], hosts: [{ type: 'exact', value: 'payments.internal' }] },
    execute: [
      { authenticator: 'task' },
      { authorizer: 'purpose', config: { values: { purpose } } },
      { finalizer: 'nothing' },
    ],
  });
  return [
    rule('/api/status', 'GET', 'finance'),
    rule('/api/invoices/:invoice', 'GET', 'reconcile-invoices'),
    rule('/api/refunds', 'POST', 'finance'),
    rule('/api/search', 'POST', 'reconcile-invoices'),
    rule('/api/exports/:export', 'GET', 'finance'),
    {
      id: 'named',
      match: {
        routes: [{ path: '/api/invoices/:invoice' }],
        methods: ['GET'],
        hosts: [{ type: 'exact', value: NAMED_HOST }],
      },
      execute: [{ authenticator: 'anybody' }, { authorizer: 'named' }, { finalizer: 'nothing' }],
    },
  ];
}
