import { Fault, messageOf } from '../base/fault.ts';
import { decodeUtf8, parseExactJson } from '../base/strict-json.ts';
import { collectBounded, readBounded } from '../source/bounded.ts';
import { formatProblem } from '../source/problem.ts';
import { readYamlWithAliases } from '../source/yaml.ts';
import type { EnvoySource } from './message.ts';

/** Bytes of everything that is read for one configuration: a dump of a busy gateway has a few MiB. */
const MAX_BYTES = 32 * 1024 * 1024;
/** Files that one configuration may lead to. */
const MAX_FILES = 256;
/** Matchers nest, and nothing that Envoy loads nests deeper. */
const MAX_DEPTH = 100;
const TIMEOUT_MS = 15_000;

/** Reads the parts of one configuration of Envoy, within bounds that they share: 32 MiB, and 256 files. */
export class EnvoySources {
  #bytesLeft = MAX_BYTES;
  #filesLeft = MAX_FILES;

  /** The dump that Envoy's admin port gives; `url` is that of the port. Never rejects. */
  async dump(url: string): Promise<EnvoySource | Fault> {
    try {
      const from = new URL('/config_dump?include_eds', url);
      const answer = await fetch(from, { signal: AbortSignal.timeout(TIMEOUT_MS), redirect: 'error' });
      if (answer.status !== 200 || answer.body === null) return new Fault(`${from} answered ${answer.status}`);
      const bytes = await collectBounded(from.href, answer.body, this.#bytesLeft);
      return bytes instanceof Fault ? bytes : this.#source(bytes, url);
    } catch (error) {
      const { cause } = error as { readonly cause?: { readonly code?: string } };
      return new Fault(`${url}: no answer (${cause?.code ?? messageOf(error)})`);
    }
  }

  /** A file of YAML or JSON. Never rejects. */
  async file(path: string): Promise<EnvoySource | Fault> {
    if (this.#filesLeft-- === 0) return new Fault(`${path}: one configuration has more than ${MAX_FILES} files`);
    const bytes = await readBounded(path, this.#bytesLeft, AbortSignal.timeout(TIMEOUT_MS));
    if (bytes instanceof Fault) return new Fault(`${path}: cannot be read (${bytes.detail})`);
    return this.#source(bytes, path);
  }

  #source(bytes: Uint8Array, name: string): EnvoySource | Fault {
    this.#bytesLeft -= bytes.length;
    const text = decodeUtf8(bytes);
    if (text instanceof Fault) return new Fault(`${name}: ${text.detail}`);
    if (/^\s*\{/.test(text)) {
      const value = parseExactJson(text, { maxDepth: MAX_DEPTH });
      if (!(value instanceof Fault)) return { name, value, position: () => null };
      if (!isFlowYaml(text)) return new Fault(`${name}: ${value.detail}`);
    }
    const yaml = readYamlWithAliases(text, name, 'name a configuration of Envoy');
    if (Array.isArray(yaml)) return new Fault(yaml.slice(0, 5).map(formatProblem).join('\n'));
    return { name, value: yaml.value, position: (path) => yaml.problem(path, '', true) };
  }
}

/** Whether a text that begins as JSON does may be YAML in flow style: the first key has no quotes. */
const isFlowYaml = (text: string): boolean => /^\s*\{\s*(?:#.*\n\s*)*[A-Za-z_]/.test(text);
