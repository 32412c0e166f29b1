import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import type { CheckResponseMessage } from '../../src/envoy/api.ts';
import { authorization, decodeByLibrary, encodeByLibrary } from '../../src/envoy/messages.ts';

/** Serves on the Unix socket that is named and says yes to every check: what gRPC and protobuf alone cost. */
const answer: CheckResponseMessage = {
  status: { code: 0, message: 'permitted' },
  ok_response: { headers: [], headers_to_remove: [] },
};
const check = { ...authorization.Check, requestDeserialize: decodeByLibrary, responseSerialize: encodeByLibrary };
const server = new Server();
server.addService(
  { Check: check },
  {
    Check: (_: ServerUnaryCall<object, CheckResponseMessage>, done: sendUnaryData<CheckResponseMessage>) =>
      done(null, answer),
  },
);
server.bindAsync(`unix:${process.argv[2]}`, ServerCredentials.createInsecure(), (error) => {
  if (error !== null) throw error;
  process.stdout.write('serving\n');
});
process.once('SIGTERM', () => server.forceShutdown());
