import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { closeServer, listenOnLoopback } from '../support/ports.ts';

/** A registry of images in memory, as far as a push needs one (OCI distribution 1.1, section "Push"). */
export const Registry = { start };
export type Registry = Awaited<ReturnType<typeof start>>;

async function start() {
  const content = new Map<string, Buffer>();
  const answer = answering(content);
  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  return {
    host: `127.0.0.1:${await listenOnLoopback(server)}`,
    /** Blobs and manifests by their digest; a manifest by its tag too. */
    content,
    /** The content of a manifest or a blob, by its digest or, for a manifest, its tag. */
    json: (reference: string): unknown => {
      const found = content.get(reference);
      if (found === undefined) throw new Error(`the registry holds no ${reference}`);
      return JSON.parse(found.toString());
    },
    stop: async (): Promise<void> => {
      server.closeAllConnections();
      await closeServer(server);
    },
  };
}

function answering(content: Map<string, Buffer>) {
  const uploads = new Map<string, Buffer[]>();
  /** Of manifests, as they were sent. */
  const types = new Map<string, string>();
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? '/', 'http://registry');
    const [, kind, reference = ''] = /\/(blobs|manifests)\/(.*)$/.exec(url.pathname) ?? [];
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const upload = reference.replace(/^uploads\//, '');
    if (request.method === 'POST') {
      const id = randomUUID();
      uploads.set(id, []);
      response.writeHead(202, { location: `${url.pathname.replace(/\/$/, '')}/${id}` }).end();
    } else if (request.method === 'PATCH') {
      uploads.get(upload)?.push(...parts);
      response.writeHead(202, { location: url.pathname }).end();
    } else if (request.method === 'PUT') {
      const sent = Buffer.concat([...(uploads.get(upload) ?? []), ...parts]);
      const digest = `sha256:${createHash('sha256').update(sent).digest('hex')}`;
      content.set(digest, sent);
      if (kind === 'manifests') {
        content.set(reference, sent);
        for (const name of [reference, digest]) types.set(name, request.headers['content-type'] ?? '');
      }
      response.writeHead(201, { location: url.pathname, 'docker-content-digest': digest }).end();
    } else if (kind === undefined) {
      response.writeHead(200).end();
    } else {
      const found = content.get(reference);
      if (found === undefined) response.writeHead(404).end();
      else {
        const type = types.get(reference) ?? 'application/octet-stream';
        const headers = { 'content-length': found.length, 'content-type': type };
        response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : found);
      }
    }
  };
}
