import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { extname, join } from 'node:path';
import type { Pages } from '../http/connections.ts';
import { askedName, type DoorRules } from '../http/door.ts';
import { ApiProblem } from '../http/problem.ts';
import type { WrittenReply } from '../http/written.ts';
import { browserReply, problemReply } from '../sign-in/replies.ts';

const FOLDER = join(import.meta.dirname, 'page');
const INDEX = 'index.html';
/** Where the page names the folder of its files. */
const HASH = 'HASH';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** Its own files and nothing else: no inline script or style, no frame, no text that becomes a script. */
const POLICY = [
  "default-src 'none'",
  ...["script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'"],
  ...["base-uri 'none'", "form-action 'self'", "frame-ancestors 'none'"],
  ...["require-trusted-types-for 'script'", "trusted-types 'none'"],
].join('; ');

/** The names in it carry the digest of all files. */
const FOREVER = { 'cache-control': 'public, max-age=31536000, immutable' };

/**
 * The page of the console: `GET /`, and its files below a path that carries their digest, so that a browser never mixes
 * those of two versions. They hold no data and nobody has to be signed in for them.
 */
export class ConsolePage implements Pages {
  readonly #files: ReadonlyMap<string, WrittenReply>;

  private constructor(files: ReadonlyMap<string, WrittenReply>) {
    this.#files = files;
  }

  /** Rejects where the package lacks its files. */
  static async open(): Promise<ConsolePage> {
    const names = (await readdir(FOLDER)).toSorted();
    const texts = await Promise.all(
      names.map(async (name) => [name, await readFile(join(FOLDER, name), 'utf8')] as const),
    );
    const digest = createHash('sha256');
    for (const [name, text] of texts) digest.update(`${name} ${text.length}\n${text}`);
    const hash = digest.digest('hex').slice(0, 16);
    const files = new Map<string, WrittenReply>();
    for (const [name, text] of texts) {
      const type = TYPES[extname(name)];
      if (type === undefined) continue;
      if (name === INDEX) files.set('/', pageReply(type, text.replaceAll(HASH, hash)));
      else files.set(`/page/${hash}/${name}`, pageReply(type, text, FOREVER));
    }
    return new ConsolePage(files);
  }

  answer(request: IncomingMessage, door: DoorRules): Promise<WrittenReply> | null {
    const { url = '', method = '' } = request;
    const path = url.split('?', 1)[0] ?? '';
    if (path !== '/' && !path.startsWith('/page/')) return null;
    const named = askedName(request, door);
    if (named instanceof ApiProblem) return Promise.resolve(problemReply(named, request));
    if (method !== 'GET' && method !== 'HEAD') {
      const wrong = ApiProblem.of('method_not_allowed', 'it has GET, HEAD', { headers: [['allow', 'GET, HEAD']] });
      return Promise.resolve(problemReply(wrong, request));
    }
    return Promise.resolve(this.#files.get(path) ?? problemReply(ApiProblem.of('not_found'), request));
  }
}

const pageReply = (type: string, text: string, more: Readonly<Record<string, string>> = {}): WrittenReply =>
  browserReply(200, type, text, { 'content-security-policy': POLICY, ...more });
