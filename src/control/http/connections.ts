import type { IncomingMessage, Server, ServerOptions, ServerResponse } from 'node:http';
import type { Server as TlsServer } from 'node:https';
import type { Socket } from 'node:net';
import { ENDING, Visitors } from '../visitors.ts';
import type { Answered, ControlApi } from './api.ts';
import type { DoorRules } from './door.ts';
import { ApiProblem } from './problem.ts';
import { answerText, type PortHeaders, type WrittenReply, writeAnswer, writeLast, writeReply } from './written.ts';

/** Over HTTP/1.1, with TLS or without. */
export type HttpServer = Server | TlsServer;

const ALL = 256;
/** All clients of a Unix socket are one address. */
const OF_ONE_ADDRESS = 64;
const ASKS_PER_SECOND = 500;
export const MAX_CONNECTIONS = ALL + ENDING;
/** A client that neither sends nor reads anything for so long is gone. */
const IDLE_MS = 30_000;

/** How long what a client sends may take; a body has a bound of its own (`readBody`). */
export const HTTP_OPTIONS: ServerOptions = {
  maxHeaderSize: 16_384,
  headersTimeout: 5000,
  requestTimeout: 15_000,
  keepAliveTimeout: 15_000,
  connectionsCheckingInterval: 500,
  // A request without a host gets a document like any other.
  requireHostHeader: false,
};

/** What a port has beside the control API. */
export interface Pages {
  /** Null: it is none of its paths. Never rejects. */
  answer(request: IncomingMessage, door: DoorRules): Promise<WrittenReply> | null;
}

/** All of them, and the headers that each answer of the port has beside its own. */
export interface OwnPages {
  readonly pages: readonly Pages[];
  readonly headers: PortHeaders;
}

/** The connections of the control port, and what comes through them. */
export class Connections {
  readonly #visitors = new Visitors({ all: ALL, connections: OF_ONE_ADDRESS, asksPerSecond: ASKS_PER_SECOND }, () =>
    performance.now(),
  );
  /** Each with the response that it waits for; null: none. */
  readonly #open = new Map<Socket, ServerResponse | null>();
  /** Those that get a last answer: the parser reports each further part of what it could not read. */
  readonly #parting = new WeakSet<Socket>();
  readonly #api: ControlApi;
  readonly #door: DoorRules;
  readonly #own: OwnPages;

  constructor(api: ControlApi, door: DoorRules, own: OwnPages = { pages: [], headers: {} }) {
    this.#api = api;
    this.#door = door;
    this.#own = own;
  }

  /** Whether this address may have one connection more. */
  mayConnect(socket: Socket): boolean {
    const from = socket.remoteAddress ?? '';
    if (!this.#visitors.connects(from, socket)) return false;
    socket.once('close', () => this.#visitors.left(from, socket));
    return true;
  }

  /** A connection that HTTP is spoken over. */
  opened(socket: Socket): void {
    this.#open.set(socket, null);
    socket.once('close', () => this.#open.delete(socket));
  }

  /** Answers every request, and also what is none, with a document. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    this.#open.set(socket, response);
    const mayAsk = this.#visitors.asks(socket.remoteAddress ?? '');
    const page = mayAsk ? this.#page(request) : null;
    if (page !== null) {
      const reply = await page;
      await writeReply({ ...reply, headers: { ...reply.headers, ...this.#own.headers } }, request, response);
    } else await this.#write(await this.#answered(request, mayAsk), request, response);
    if (this.#open.get(socket) === response) this.#open.set(socket, null);
  }

  /** Has a server answer what it would else answer by itself, or not at all. */
  serve<S extends HttpServer>(server: S): S {
    server.maxConnections = MAX_CONNECTIONS;
    server.timeout = IDLE_MS;
    server.on('checkExpectation', async (request: IncomingMessage, response: ServerResponse) =>
      this.#write(await this.#unread(request.socket, ApiProblem.of('expectation_failed')), request, response),
    );
    server.on('connect', async (_: IncomingMessage, socket: Socket) =>
      this.#part(socket, ApiProblem.of('malformed', 'CONNECT opens no tunnel here')),
    );
    server.on('clientError', async (error: NodeJS.ErrnoException, socket: Socket) => {
      if (this.#parting.has(socket)) return;
      const waiting = this.#open.get(socket);
      if (waiting?.req.complete === true && !waiting.writableFinished) waiting.once('finish', () => socket.destroy());
      // In a handshake, and in the middle of an answer, there is nothing to write to.
      else if (waiting === undefined || !socket.writable || waiting?.headersSent === true) socket.destroy();
      else await this.#part(socket, unreadable(error));
    });
    return server;
  }

  /** Ends what is still open. */
  end(): void {
    for (const socket of this.#open.keys()) socket.destroy();
  }

  async #part(socket: Socket, problem: ApiProblem): Promise<void> {
    this.#parting.add(socket);
    writeLast(socket, answerText(await this.#unread(socket, problem), this.#own.headers));
  }

  #write(answered: Answered, request: IncomingMessage, response: ServerResponse): Promise<void> {
    return writeAnswer(answered, this.#own.headers, request, response);
  }

  #page(request: IncomingMessage): Promise<WrittenReply> | null {
    for (const pages of this.#own.pages) {
      const reply = pages.answer(request, this.#door);
      if (reply !== null) return reply;
    }
    return null;
  }

  #answered(request: IncomingMessage, mayAsk: boolean): Promise<Answered> {
    if (mayAsk) return this.#api.answer(request, this.#door);
    const problem = ApiProblem.of('too_many_requests', null, { headers: [['retry-after', '1']] });
    return this.#unread(request.socket, problem);
  }

  #unread(socket: Socket, problem: ApiProblem) {
    return this.#api.unread(socket.remoteAddress ?? null, problem);
  }
}

function unreadable({ code }: NodeJS.ErrnoException): ApiProblem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return ApiProblem.of('timeout', 'the request did not come in time');
  if (code === 'HPE_HEADER_OVERFLOW') return ApiProblem.of('headers_too_large');
  return ApiProblem.of('malformed', 'this is no HTTP/1.1 request');
}
