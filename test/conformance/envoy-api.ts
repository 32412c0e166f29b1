import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AnyDefinition,
  loadSync,
  type MessageTypeDefinition,
  type PackageDefinition,
  type ServiceDefinition,
} from '@grpc/proto-loader';
import { protoFolder } from '../../src/envoy/messages.ts';
import { type CorpusResult, corporaDir } from '../support/corpora.ts';

/** What is read here of a FileDescriptorProto: proto-loader hands out its own, encoded. */
interface FileDescriptor {
  readonly package?: string;
  readonly messageType?: readonly MessageDescriptor[];
  readonly enumType?: readonly EnumDescriptor[];
}
interface MessageDescriptor {
  readonly name: string;
  readonly field?: readonly FieldDescriptor[];
  readonly nestedType?: readonly MessageDescriptor[];
  readonly enumType?: readonly EnumDescriptor[];
  readonly oneofDecl?: readonly { readonly name: string }[];
  readonly options?: { readonly mapEntry?: boolean };
}
interface FieldDescriptor {
  readonly name: string;
  readonly number: number;
  readonly label: string;
  readonly type: string;
  readonly typeName?: string;
  readonly oneofIndex?: number;
}
interface EnumDescriptor {
  readonly name: string;
  readonly value: readonly { readonly name: string; readonly number?: number }[];
}

const protos = ['envoy/service/auth/v3/external_auth.proto', 'grpc/health/v1/health.proto', 'workload.proto'];

/**
 * Every message, field, number, type, oneof, enum and method of proto/, as proto-loader loaded it, against the names and
 * numbers of Envoy 1.40, gRPC health and the SPIFFE Workload API. One case for each line of the corpus; a line of ours
 * that the corpus does not have fails too.
 */
export function run(): CorpusResult {
  const expected = sections(readFileSync(join(corporaDir, 'envoy-api', 'messages.txt'), 'utf8'));
  const loaded = sections(describe(loadSync(protos, { keepCase: true, includeDirs: [protoFolder()] })));
  const failures: string[] = [];
  let passed = 0;
  for (const [title, lines] of expected) {
    const ours = loaded.get(title);
    for (const line of [title, ...lines]) {
      if (ours !== undefined && (line === title || ours.has(line))) passed++;
      else failures.push(`${title}: not in proto/: ${line}`);
    }
    for (const line of ours ?? []) if (!lines.has(line)) failures.push(`${title}: only in proto/: ${line}`);
  }
  for (const title of loaded.keys()) {
    // proto-loader brings whole files of google.protobuf; only what the contracts use of them is compared.
    if (!expected.has(title) && !title.includes(' google.protobuf.')) failures.push(`only in proto/: ${title}`);
  }
  return { passed, failures, excepted: 0 };
}

function sections(text: string): Map<string, Set<string>> {
  const found = new Map<string, Set<string>>();
  let lines = new Set<string>();
  for (const line of text.split('\n')) {
    if (line === '') continue;
    if (line.startsWith(' ')) lines.add(line.trim());
    else {
      lines = new Set();
      found.set(line, lines);
    }
  }
  return found;
}

/** The loaded definitions in the form of the corpus. */
function describe(loaded: PackageDefinition): string {
  const files = descriptors(loaded);
  const messages = new Map<string, MessageDescriptor>();
  const enums = new Map<string, EnumDescriptor>();
  for (const file of files) collect(file.package ?? '', file.messageType ?? [], file.enumType ?? [], messages, enums);
  const known = new Set([...messages.keys(), ...enums.keys()]);
  const lines: string[] = [];
  for (const [name, definition] of Object.entries(loaded)) {
    if (isService(definition)) lines.push(...describeService(name, definition, known));
  }
  for (const [name, message] of messages) {
    if (message.options?.mapEntry === true) continue;
    lines.push(`message ${name}`);
    for (const field of message.field ?? []) lines.push(`  ${describeField(name, field, message, known, messages)}`);
  }
  for (const [name, members] of enums) {
    lines.push(`enum ${name}`, ...members.value.map((value) => `  ${value.number ?? 0} ${value.name}`));
  }
  return lines.join('\n');
}

/** Decoded without defaults, since a oneofIndex of 0 means something else than none. */
function descriptors(loaded: PackageDefinition): FileDescriptor[] {
  const reader = loadSync('google/protobuf/descriptor.proto', { enums: String });
  const file = reader['google.protobuf.FileDescriptorProto'];
  const some = Object.values(loaded).find((definition) => !isService(definition));
  if (file === undefined || !isMessage(file) || some === undefined || isService(some)) return [];
  return some.fileDescriptorProtos.map((bytes) => file.deserialize(bytes) as FileDescriptor);
}

function collect(
  scope: string,
  messageTypes: readonly MessageDescriptor[],
  enumTypes: readonly EnumDescriptor[],
  messages: Map<string, MessageDescriptor>,
  enums: Map<string, EnumDescriptor>,
): void {
  for (const type of enumTypes) enums.set(qualified(scope, type.name), type);
  for (const type of messageTypes) {
    const name = qualified(scope, type.name);
    messages.set(name, type);
    collect(name, type.nestedType ?? [], type.enumType ?? [], messages, enums);
  }
}

function describeService(name: string, definition: ServiceDefinition, known: ReadonlySet<string>): string[] {
  const lines = [`service ${name}`];
  for (const [method, { requestType, responseType, requestStream, responseStream }] of Object.entries(definition)) {
    const request = fullName(known, name, typeOf(requestType));
    const response = fullName(known, name, typeOf(responseType));
    lines.push(
      `  ${method}(${requestStream ? 'stream ' : ''}${request}) -> ${responseStream ? 'stream ' : ''}${response}`,
    );
  }
  return lines;
}

function describeField(
  scope: string,
  field: FieldDescriptor,
  message: MessageDescriptor,
  known: ReadonlySet<string>,
  messages: ReadonlyMap<string, MessageDescriptor>,
): string {
  // proto-loader's own google.protobuf is camelCase whatever keepCase says.
  const name = scope.startsWith('google.protobuf.')
    ? field.name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`)
    : field.name;
  const type = fieldType(scope, field, known);
  const entry = messages.get(type);
  if (entry?.options?.mapEntry === true) {
    const [key, value] = entry.field ?? [];
    if (key !== undefined && value !== undefined) {
      return `${field.number} ${name}: map<${fieldType(type, key, known)},${fieldType(type, value, known)}>`;
    }
  }
  const oneof = field.oneofIndex === undefined ? '' : `oneof ${message.oneofDecl?.[field.oneofIndex]?.name} `;
  return `${field.number} ${name}: ${field.label === 'LABEL_REPEATED' ? 'repeated ' : ''}${oneof}${type}`;
}

function fieldType(scope: string, field: FieldDescriptor, known: ReadonlySet<string>): string {
  if (field.typeName !== undefined && field.typeName !== '') return fullName(known, scope, field.typeName);
  return field.type.replace('TYPE_', '').toLowerCase();
}

/** Resolves a relative type name as protobuf does: from the innermost scope outwards. */
function fullName(known: ReadonlySet<string>, scope: string, name: string): string {
  for (let at = scope; ; at = at.slice(0, Math.max(at.lastIndexOf('.'), 0))) {
    const candidate = qualified(at, name);
    if (known.has(candidate)) return candidate;
    if (at === '') return `unresolved ${name}`;
  }
}

function typeOf(definition: { readonly type: object }): string {
  return (definition.type as { readonly name: string }).name;
}

function isService(definition: AnyDefinition): definition is ServiceDefinition {
  return !('format' in definition);
}

function isMessage(definition: AnyDefinition): definition is MessageTypeDefinition<object, object> {
  return 'deserialize' in definition;
}

function qualified(scope: string, name: string): string {
  return scope === '' ? name : `${scope}.${name}`;
}
