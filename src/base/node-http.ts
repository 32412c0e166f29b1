import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * Node's servers and clients of HTTP. An `import` of `node:http` reads each of its exports once, and one of them loads undici:
 * 13 MB and 30 ms of every start, of which nothing is used here.
 */
export const http = require('node:http') as typeof import('node:http');
export const https = require('node:https') as typeof import('node:https');
