import type { DataPath } from '../source/yaml.ts';

/** A file or answer that part of Envoy's configuration was read from. */
export interface EnvoySource {
  /** As the operator named it, or as Envoy's configuration names it. */
  readonly name: string;
  readonly value: unknown;
  /** Line and column of a path, counted from 1; null where the source has none that help, such as a dump. */
  readonly position: (path: DataPath) => { readonly line: number; readonly column: number } | null;
}

type Fields = Readonly<Record<string, unknown>>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Spellings of true that Envoy's reader of YAML takes, and YAML 1.2 does not. */
const YES = /^(?:y|yes|true|on)$/i;

/**
 * A message of Envoy's API in the JSON form of protobuf: a field may be written `failure_mode_allow` or `failureModeAllow`,
 * and one that is absent has its default. Fields of another type than asked for count as absent, since Envoy would not
 * start with them.
 */
export class Message {
  readonly source: EnvoySource;
  readonly path: DataPath;
  readonly #fields: Fields;

  private constructor(source: EnvoySource, path: DataPath, fields: Fields) {
    this.source = source;
    this.path = path;
    this.#fields = fields;
  }

  /** The whole of a source, where it is an object. */
  static root(source: EnvoySource): Message | null {
    return Message.at(source, [], source.value);
  }

  /** The value at `path` of a source, where it is an object. */
  static at(source: EnvoySource, path: DataPath, value: unknown): Message | null {
    return isFields(value) ? new Message(source, path, value) : null;
  }

  /** The type of an `Any`, without the host before it; empty for other messages. */
  get type(): string {
    const type = this.text('@type') ?? '';
    return type.slice(type.lastIndexOf('/') + 1);
  }

  /** Whether the field is written. */
  has(name: string): boolean {
    return this.#read(name) !== undefined;
  }

  /** The message in a field; an `Any` that only wraps a struct of another type is unwrapped. */
  message(name: string): Message | null {
    const message = Message.at(this.source, [...this.path, this.#spelling(name)], this.#read(name));
    return message === null ? null : message.#unwrapped();
  }

  /** As `message`, along several fields. */
  at(...names: readonly string[]): Message | null {
    return names.reduce<Message | null>((message, name) => message?.message(name) ?? null, this);
  }

  /** The messages of a repeated field. */
  list(name: string): readonly Message[] {
    const value = this.#read(name);
    if (!Array.isArray(value)) return [];
    const path = [...this.path, this.#spelling(name)];
    return value.flatMap((item, at) => {
      const message = Message.at(this.source, [...path, at], item);
      return message === null ? [] : [message.#unwrapped()];
    });
  }

  /** The names of a map field, or of this message itself. */
  get names(): readonly string[] {
    return Object.keys(this.#fields);
  }

  texts(name: string): readonly string[] {
    const value = this.#read(name);
    return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
  }

  text(name: string): string | null {
    const value = this.#read(name);
    return typeof value === 'string' ? value : null;
  }

  /** A bool, false where it is absent. */
  flag(name: string): boolean {
    const value = this.#read(name);
    return value === true || (typeof value === 'string' && YES.test(value));
  }

  /** A number; null where it is absent. Protobuf writes those of 64 bits as text. */
  number(name: string): number | null {
    const value = this.#read(name);
    if (typeof value === 'number') return value;
    return typeof value === 'string' && /^-?\d+(?:\.\d+)?$/.test(value) ? Number(value) : null;
  }

  /** A value of an enum, which may be written as its number in `values`; the first where it is absent. */
  word<const T extends string>(name: string, values: readonly T[]): T {
    const value = this.#read(name);
    const found = typeof value === 'number' ? values[value] : values.find((word) => word === value);
    return found ?? values[0]!;
  }

  /** A duration such as `0.25s`, in milliseconds; null where it is absent. */
  milliseconds(name: string): number | null {
    const [, seconds] = /^(\d+(?:\.\d+)?)s$/.exec(this.text(name) ?? '') ?? [];
    return seconds === undefined ? null : Number(seconds) * 1000;
  }

  #unwrapped(): Message {
    if (!/^(?:udpa\.type\.v1|xds\.type\.v3)\.TypedStruct$/.test(this.type)) return this;
    const value = this.#read('value');
    if (!isFields(value)) return this;
    const type = this.text('type_url') ?? '';
    return new Message(this.source, [...this.path, 'value'], { ...value, '@type': type });
  }

  #spelling(name: string): string {
    if (Object.hasOwn(this.#fields, name)) return name;
    const camel = name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
    return Object.hasOwn(this.#fields, camel) ? camel : name;
  }

  #read(name: string): unknown {
    const spelling = this.#spelling(name);
    const value = Object.hasOwn(this.#fields, spelling) ? this.#fields[spelling] : undefined;
    // Protobuf reads null as absent.
    return value === null ? undefined : value;
  }
}
