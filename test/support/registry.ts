import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A registry of images in memory, as far as a push needs one (OCI distribution 1.1, section "Push"). */
export class Registry {
  readonly #server: Server;
  /** Blobs and manifests by their digest; a manifest by its tag too. */
  readonly content = new Map<string, Buffer>();
  readonly #uploads = new Map<string, Buffer[]>();

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
    });
  }

  static async start(): Promise<Registry> {
    const registry = new Registry();
    registry.#server.listen(0, '127.0.0.1');
    await once(registry.#server, 'listening');
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The text of a manifest or a blob, by its digest or, for a manifest, its tag. */
  json(reference: string): unknown {
    const found = this.content.get(reference);
    if (found === undefined) throw new Error(`the registry holds no ${reference}`);
    return JSON.parse(found.toString());
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', `http://${this.host}`);
    const [, kind, reference = ''] = /\/(blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const upload = reference.replace(/^uploads\//, '');
    if (request.method === 'POST') {
      const id = randomUUID();
      this.#uploads.set(id, []);
      response.writeHead(202, { location: `${url.pathname.replace(/\/$/, '')}/${id}` }).end();
    } else if (request.method === 'PATCH') {
      this.#uploads.get(upload)?.push(...parts);
      response.writeHead(202, { location: url.pathname }).end();
    } else if (request.method === 'PUT') {
      const content = Buffer.concat([...(this.#uploads.get(upload) ?? []), ...parts]);
      const digest = `sha256:${createHash('sha256').update(content).digest('hex')}`;
      this.content.set(digest, content);
      if (kind === 'manifests') this.content.set(reference, content);
      response.writeHead(201, { location: url.pathname, 'docker-content-digest': digest }).end();
    } else if (kind === undefined) {
      response.writeHead(200).end();
    } else {
      const found = this.content.get(reference);
      if (found === undefined) response.writeHead(404).end();
      else
        response.writeHead(200, { 'content-length': found.length }).end(request.method === 'HEAD' ? undefined : found);
    }
  }
}
