import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback } from './ports.ts';

/** An answer: JSON with status 200, or whatever the function writes. */
export type Answer = object | ((request: IncomingMessage, response: ServerResponse) => void);

/** A real HTTP server on 127.0.0.1 whose answer to each path can be changed at any time, and which counts the requests. */
export const JwksServer = { start };
export type JwksServer = Awaited<ReturnType<typeof start>>;

async function start() {
  const requests: string[] = [];
  const answers = new Map<string, Answer>();
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    requests.push(path);
    const answer = answers.get(path);
    if (typeof answer === 'function') answer(request, response);
    else if (answer === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  return {
    url: `http://127.0.0.1:${await listenOnLoopback(server)}`,
    /** The paths that were asked for, in order. */
    requests,
    /** From now on this path answers so; other paths answer 404. */
    serve: (path: string, answer: Answer) => void answers.set(path, answer),
    /** How often a path was asked for. */
    count: (path: string): number => requests.filter((asked) => asked === path).length,
    stop: async (): Promise<void> => {
      server.closeAllConnections();
      await closeServer(server);
    },
  };
}

/** An answer with a status and a body that is no JSON. */
export function plainAnswer(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => response.writeHead(status, headers).end(body);
}
