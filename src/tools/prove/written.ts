import type { AuthorizationCall } from '../../policy/decide/call.ts';
import type { PolicyJson } from '../../policy/decide/engine.ts';
import type { Expression } from '../bound.ts';
import { type ReadValue, readValues } from '../values.ts';

/** What is always said of a request, where it has it. */
const ALWAYS = ['principal.kind', 'principal.owner', 'resource.host', 'resource.sensitivity'].map((path) => {
  const [variable, attr] = path.split('.');
  return { '.': { left: { Var: variable }, attr } } as Expression;
});

/** Who asks for what, and what these policies read of a request, in the order of their texts, each once. */
export function valuesFor(policies: readonly PolicyJson[], call: AuthorizationCall): readonly ReadValue[] {
  const found = policies.flatMap(({ conditions }) =>
    conditions.flatMap(({ body }) => readValues(body as Expression, call)),
  );
  const always = ALWAYS.flatMap((expression) => readValues(expression, call)).filter(({ value }) => value !== null);
  // Others are made up by the solver.
  const named = [
    { path: 'principal', value: call.principal.id },
    { path: 'resource', value: call.resource.id },
  ].filter(({ value }) => value.includes('/'));
  return [...new Map([...named, ...always, ...found].map((one) => [one.path, one])).values()];
}
