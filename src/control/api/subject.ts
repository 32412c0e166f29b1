import { Refusal } from '../../base/outcome.ts';
import { SpiffeId } from '../../base/spiffe-id.ts';
import type { ControlResource } from '../../policy/control/question.ts';
import { controlTask } from '../../policy/control/registered.ts';
import { type Revocation, type RevocationKind, subjectParts } from '../../state/revocation.ts';
import type { TaskLookup } from '../../state/tasks/registry.ts';

/** What a revocation names, as entries of files and orders state it: `{ "task": { "issuer": …, "id": … } }`. */
export function statedSubject(revocation: Pick<Revocation, 'kind' | 'subject'>): Readonly<Record<string, unknown>> {
  const { kind } = revocation;
  const [first = '', second] = subjectParts(revocation.subject);
  if (kind === 'token' && second === undefined) return { token: { digest: first } };
  const other = SECOND[kind];
  return { [kind]: other === undefined ? first : { issuer: first, [other]: second } };
}

const SECOND: Partial<Readonly<Record<RevocationKind, string>>> = { task: 'id', token: 'jti', subject: 'subject' };

/** What control policies judge, where a revocation of this is asked for, shown or lifted. `tasks`: those that began. */
export function resourceOf(
  revocation: Pick<Revocation, 'kind' | 'subject'>,
  tasks: Pick<TaskLookup, 'find'>,
): ControlResource {
  const { kind } = revocation;
  const [first = '', second] = subjectParts(revocation.subject);
  switch (kind) {
    case 'workload':
    case 'under': {
      const id = SpiffeId.parse(first);
      if (id instanceof Refusal) return { kind: 'everything' };
      if (id.path === '') return { kind: 'trustDomain', name: id.trustDomain };
      return kind === 'workload' ? { kind, id } : { kind: 'path', id };
    }
    case 'owner':
      return { kind: 'team', name: first };
    case 'task':
      return controlTask(tasks, first, second ?? '');
    case 'token':
    case 'key':
    case 'certificate':
    case 'subject':
      return { kind: 'credential', of: kind, id: second ?? first, issuer: second === undefined ? null : first };
  }
}
