import assert from 'node:assert/strict';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { auditLineSchema } from './audit-line-schema.ts';

interface Branch {
  readonly properties: { readonly event?: { readonly const?: string }; readonly clipped?: unknown };
}

/** Formats are what the schema's own patterns say, which zod writes beside each. */
const ajv = new Ajv2020({ allErrors: true, validateFormats: false });
const validators = new Map(
  (auditLineSchema({ strict: true }) as { readonly anyOf: readonly Branch[] }).anyOf.map((branch) => [
    branch.properties.clipped === undefined ? (branch.properties.event?.const ?? 'decision') : 'clipped',
    ajv.compile(branch),
  ]),
);

/**
 * Asserts that each line is as docs/audit-line.schema.json has it, and has no member that stands there under no name. Returns the
 * kinds of the lines: `decision`, `clipped`, or the event.
 */
export function assertAuditLines(lines: readonly object[]): ReadonlySet<string> {
  const kinds = new Set<string>();
  for (const line of lines) {
    const { event = 'decision', clipped } = line as { event?: string; clipped?: true };
    const kind = clipped === true ? 'clipped' : event;
    const validate = validators.get(kind);
    assert.ok(validate, `the schema does not know ${kind}`);
    assert.ok(validate(line), `${ajv.errorsText(validate.errors)}\n${JSON.stringify(line, null, 1)}`);
    kinds.add(kind);
  }
  return kinds;
}
