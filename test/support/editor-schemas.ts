import { Ajv2020 } from 'ajv/dist/2020.js';
import { z } from 'zod';
import { peersFile } from '../../src/config/peers.ts';
import { configSchema } from '../../src/config/schema.ts';
import { inventorySchema } from '../../src/inventory/schema.ts';
import { casesSchema } from '../../src/policy/load/cases.ts';
import { REVOCATION_LINES } from '../../src/state/file/revocation-yaml.ts';
import { revocationSchema } from '../../src/state/revocation-entry.ts';

/** The parts of JSON Schema that are changed on the way from the program to an editor. */
interface Node {
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Node>>;
  readonly [more: string]: unknown;
}

/** Begins a placeholder of the configuration file, which stands for any text. */
const PLACEHOLDER = '\\$\\{';

/** What `revocations.file` names: the list that src/state/file/revocation-yaml.ts reads entry by entry. */
const revocationsFile = z.strictObject({
  revocations: z.array(revocationSchema).describe('All that is revoked; what is left out is lifted.'),
  revocationsFile: z
    .literal(REVOCATION_LINES)
    .optional()
    .describe('More revocations stand in this file beside it: one entry a line in JSON, by the same rules.'),
});

/** Whom a revocation hits: exactly one of these. */
const SUBJECTS = ['workload', 'under', 'owner', 'task', 'token', 'key', 'certificate', 'subject'];

/** The JSON Schemas (draft 2020-12) of the files that people write, by the name under docs/, each as its file holds it. */
export const editorSchemas = (): ReadonlyMap<string, string> =>
  new Map(
    Object.entries({
      configuration: entitled('Configuration', withPlaceholders(jsonSchema(configSchema('/')))),
      inventory: jsonSchema(inventorySchema),
      peers: entitled('Clients of the check port', jsonSchema(peersFile)),
      'policy-tests': entitled('Policy tests', jsonSchema(casesSchema)),
      revocations: entitled('Revocations', withOneSubject(jsonSchema(revocationsFile))),
    }).map(([name, schema]) => [`${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`]),
  );

// `format` only tells more than the patterns beside it.
const ajv = new Ajv2020({ strict: false, validateFormats: false });

/** What an editor says of a file, by the name of its schema without the ending: whether it is good. */
export const judgedByEditor = (name: string) => ajv.compile(JSON.parse(editorSchemas().get(`${name}.schema.json`)!));

const jsonSchema = (schema: z.ZodType): Node => z.toJSONSchema(schema, { io: 'input' }) as Node;

const entitled = (title: string, schema: Node): Node => ({ ...schema, title: `${title} of cedar-ext-authz` });

/** Where a word or a form of text is asked for, a placeholder may stand; the kind of a mapping decides what else it holds. */
function withPlaceholders(node: Node): Node {
  const entries = Object.entries(node).map(([key, value]): [string, unknown] => {
    if (key === 'default' || key === 'enum' || key === 'const') return [key, value];
    if (key === 'pattern') return [key, `${value}|${PLACEHOLDER}`];
    if (key === 'properties') {
      const members = Object.entries(value as Readonly<Record<string, Node>>);
      return [
        key,
        Object.fromEntries(members.map(([name, one]) => [name, name === 'kind' ? one : withPlaceholders(one)])),
      ];
    }
    if (Array.isArray(value)) return [key, value.map((one) => (typeof one === 'object' ? withPlaceholders(one) : one))];
    return [key, typeof value === 'object' && value !== null ? withPlaceholders(value as Node) : value];
  });
  const { enum: words, const: word, type, ...rest } = Object.fromEntries(entries) as Node;
  if (words === undefined && typeof word !== 'string') return Object.fromEntries(entries);
  const alternatives = [{ enum: words ?? [word] }, { type: 'string', pattern: PLACEHOLDER }];
  return { ...rest, anyOf: alternatives };
}

/** What the reader of an entry asks beyond its shape. */
function withOneSubject(schema: Node): Node {
  const { revocations } = schema.properties as { readonly revocations: Node & { readonly items: Node } };
  const oneOf = SUBJECTS.map((subject) => ({ required: [subject] }));
  return {
    ...schema,
    properties: { ...schema.properties, revocations: { ...revocations, items: { ...revocations.items, oneOf } } },
  };
}
