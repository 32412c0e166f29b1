import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback } from './ports.ts';

/** An answer: JSON with status 200, or whatever the function writes. */
export type Answer = object | ((request: IncomingMessage, response: ServerResponse) => void);

/** A real HTTP server on 127.0.0.1 whose answer to each path can be changed at any time, and which counts the requests. */
export class JwksServer {
  readonly url: string;
  /** The paths that were asked for, in order. */
  readonly requests: string[] = [];
  readonly #server = createServer((request, response) => this.#answer(request, response));
  readonly #answers = new Map<string, Answer>();

  private constructor(url: string) {
    this.url = url;
  }

  static async start(): Promise<JwksServer> {
    const opening = new JwksServer('');
    return Object.assign(opening, { url: `http://127.0.0.1:${await listenOnLoopback(opening.#server)}` });
  }

  /** From now on this path answers so; other paths answer 404. */
  serve(path: string, answer: Answer): void {
    this.#answers.set(path, answer);
  }

  /** How often a path was asked for. */
  count(path: string): number {
    return this.requests.filter((asked) => asked === path).length;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await closeServer(this.#server);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    this.requests.push(path);
    const answer = this.#answers.get(path);
    if (typeof answer === 'function') answer(request, response);
    else if (answer === undefined) response.writeHead(404).end();
    else response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  }
}

/** An answer with a status and a body that is no JSON. */
export function plainAnswer(status: number, body: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return (_request, response) => response.writeHead(status, headers).end(body);
}
