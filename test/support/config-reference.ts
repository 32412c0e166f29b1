import * as z from 'zod';
import { configSchema } from '../../src/config/schema.ts';

/** The part of JSON Schema that zod writes for the configuration. */
interface Node {
  readonly title?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly properties?: { readonly [key: string]: Node; readonly kind?: Node };
  readonly required?: readonly string[];
  readonly additionalProperties?: Node | false;
  readonly items?: Node;
  readonly oneOf?: readonly Node[];
  readonly anyOf?: readonly Node[];
}

const HEAD = `# Configuration

One YAML file. Unknown keys are errors, and all problems are reported together with their lines; \`cedar-ext-authz check-config FILE\`
checks a file and everything that it names without serving, and lists active unsafe settings. The sidecar reads
the file **once, at startup**: a change needs a restart. The files that it names are watched: policies, inventory, bundles,
keys, the certificate of the check port and its peers.

* **Durations** are a number and \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`; **sizes** a number and \`B\`, \`KiB\` or \`MiB\`.
* **Paths** are relative to the folder of the configuration file.
* **\`\${NAME}\`** in a value is replaced by the environment variable; write \`$\${\` for a literal \`\${\`. Inside \`{ }\` or \`[ ]\` a
  placeholder needs quotes. Nothing else is read from the environment.
* Settings that reduce protection are named **unsafe**.
* [Editors](ci.md#in-an-editor) have a schema: [configuration.schema.json](configuration.schema.json).

This file is generated from src/config/; \`UPDATE=1 node --test src/config/reference.test.ts\` writes it.
`;

/** docs/configuration.md: every key of the schema with its type, default and meaning. */
export function configReference(): string {
  const schema = z.toJSONSchema(configSchema('/'), { io: 'input' }) as Node;
  const sections = Object.entries(schema.properties ?? {}).map(([key, node]) => {
    const rows = leaves(node, key, required(schema, key));
    // The heading says already what the first row of a mapping would.
    return `## ${key}\n\n${node.description}.\n\n${table(node.properties === undefined ? rows : rows.slice(1))}`;
  });
  return `${HEAD}\n${sections.join('\n')}`;
}

interface Row {
  readonly key: string;
  /** The kinds of a mapping that know this key; empty when all do. */
  readonly kinds: readonly string[];
  readonly cells: readonly [type: string, standard: string, meaning: string];
}

/** One row for each key that takes a value, and one for each mapping or list around such keys. */
function leaves(node: Node, path: string, need: boolean): Row[] {
  if (node.oneOf !== undefined) return byKind(node.oneOf, path);
  const mapping = (node.anyOf ?? [node]).find((each) => each.properties !== undefined) ?? node;
  const inner = [
    ...members(mapping, path),
    ...(node.items === undefined || node.items.title !== undefined ? [] : leaves(node.items, `${path}[]`, true)),
    ...(typeof node.additionalProperties === 'object' ? leaves(node.additionalProperties, `${path}.NAME`, true) : []),
  ];
  return node.description === undefined ? inner : [row(node, path, need), ...inner];
}

const members = (node: Node, path: string): Row[] =>
  Object.entries(node.properties ?? {}).flatMap(([key, member]) =>
    leaves(member, `${path}.${key}`, required(node, key)),
  );

/** The rows of all kinds of a mapping; what several kinds have in common stands there once. */
function byKind(kinds: readonly Node[], path: string): Row[] {
  const rows: Row[] = [];
  for (const node of kinds) {
    const kind = String(node.properties?.kind?.const);
    for (const found of members(node, path)) {
      const same = rows.findIndex(({ key, cells }) => key === found.key && cells.join() === found.cells.join());
      if (same === -1) rows.push({ ...found, kinds: [kind] });
      else rows[same] = { ...rows[same]!, kinds: [...rows[same]!.kinds, kind] };
    }
  }
  return rows.map((found) => (found.kinds.length === kinds.length ? { ...found, kinds: [] } : found));
}

const required = (node: Node, key: string): boolean => node.required?.includes(key) ?? false;

function row(node: Node, path: string, need: boolean): Row {
  const unsafe = /(?:^|\.)unsafe[A-Z]/.test(path) ? '**unsafe** ' : '';
  return {
    key: path,
    kinds: [],
    cells: [type(node), need ? 'required' : standard(node.default), `${unsafe}${node.description}`],
  };
}

function type(node: Node): string {
  if (node.const !== undefined) return `\`${node.const}\``;
  if (node.title !== undefined) return node.title;
  if (node.items !== undefined) return `list: ${items(node.items)}`;
  return node.anyOf === undefined ? 'mapping' : 'mapping or off';
}

function items({ title, anyOf = [] }: Node): string {
  const short = anyOf.find((each) => each.title !== undefined)?.title;
  return short === undefined ? (title ?? 'mappings') : `${short} or mapping`;
}

function standard(value: unknown): string {
  if (value === undefined) return '';
  const text = JSON.stringify(value).replaceAll('"', '').replaceAll(',', ', ');
  return text === '{}' ? '' : `\`${text}\``;
}

function table(rows: readonly Row[]): string {
  const lines = [
    ['key', 'type', 'default', 'meaning'],
    ['---', '---', '---', '---'],
    ...rows.map(({ key, kinds, cells }) => [
      kinds.length === 0 ? `\`${key}\`` : `\`${key}\` (${kinds.join(', ')})`,
      ...cells,
    ]),
  ];
  return `${lines.map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`).join('\n')}\n`;
}
