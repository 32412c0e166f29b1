import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Reason, Refusal } from '../../src/base/outcome.ts';
import { authorization } from '../../src/envoy/messages.ts';
import { readRequest } from '../../src/envoy/request.ts';
import { requestOptions } from '../support/check-request.ts';
import { type CorpusResult, corporaDir } from '../support/corpora.ts';

/** What each of the plugin's own CheckRequests is here: read, or refused by this name. */
const expected: Readonly<Record<string, Reason | 'read'>> = {
  exampleAllowedRequest: 'read',
  exampleDeniedRequest: 'read',
  exampleAllowedRequestParsedPath: 'request_headers_filtered',
  exampleAllowedRequestParsedBody: 'request_headers_filtered',
  exampleDeniedRequestParsedBody: 'request_headers_filtered',
  exampleInvalidRequest: 'request_method_malformed',
  exampleRequest: 'request_headers_filtered',
  exampleDeniedRequestTruncatedBody: 'request_headers_filtered',
  exampleAllowedRequestTruncatedBody: 'request_headers_filtered',
};

/** The CheckRequests of opa-envoy-plugin's tests: those that Envoy could have sent are read right, the others refused. */
export function run(): CorpusResult {
  const { requests } = JSON.parse(readFileSync(join(corporaDir, 'opa-envoy', 'requests.json'), 'utf8')) as {
    requests: Readonly<Record<string, string>>;
  };
  const failures: string[] = [];
  let passed = 0;
  for (const name of new Set([...Object.keys(requests), ...Object.keys(expected)])) {
    const found = outcomeOf(requests[name] ?? 'null');
    if (found === expected[name]) passed++;
    else failures.push(`${name}: ${found}, not ${expected[name]}`);
  }
  return { passed, failures, excepted: 0 };
}

function outcomeOf(text: string): string {
  const bytes = authorization.Check.requestSerialize(JSON.parse(text.replaceAll(/,(\s*\})/g, '$1')));
  const input = readRequest(authorization.Check.requestDeserialize(bytes), { checkPeer: null }, requestOptions);
  if (input instanceof Refusal) return input.reason;
  const { method, host, path, query, headers } = input;
  const credential = headers.all('authorization').map((value) => value.split(' ')[0]);
  const read = [method, host, path, query, credential.join()];
  const right = ['GET', '192.168.99.100:31380', '/api/v1/products', null, 'Basic'];
  return read.every((value, index) => value === right[index]) ? 'read' : `read as ${JSON.stringify(read)}`;
}
