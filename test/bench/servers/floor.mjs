import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

/**
 * `node floor.mjs [raw]`: says yes to every check, on a port of loopback that it prints: what gRPC and protobuf alone cost,
 * or gRPC alone (`raw`: the request is not read, and the answer is a constant of bytes). It shares nothing with the
 * product, and needs no types to be stripped, which would count in its memory.
 */
const options = {
  keepCase: true,
  longs: String,
  defaults: true,
  includeDirs: [join(import.meta.dirname, '..', '..', '..', 'proto')],
};
const { Check } = loadSync('envoy/service/auth/v3/external_auth.proto', options)['envoy.service.auth.v3.Authorization'];
const answer = { status: { code: 0, message: 'permitted' }, ok_response: { headers: [], headers_to_remove: [] } };
const bytes = Check.responseSerialize(answer);
const raw = { ...Check, requestDeserialize: (request) => request, responseSerialize: (response) => response };
const [method, said] = process.argv[2] === 'raw' ? [raw, bytes] : [Check, answer];

const server = new Server();
server.addService({ Check: method }, { Check: (_, done) => done(null, said) });
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.stdout.write(`serving ${port}\n`);
});
process.once('SIGTERM', () => server.forceShutdown());
