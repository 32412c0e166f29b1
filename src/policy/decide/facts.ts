import { z } from 'zod';

/** One plain fact about a request beside who calls, for which task, and what for: an attribute of `context`. */
interface Fact {
  /** Of its value where it is known; a list of names is a set of which any part may be known. */
  readonly type: z.ZodType<boolean | number | readonly string[]>;
  /** Whether every hop of the chain is judged by it, or the caller alone. */
  readonly of: 'request' | 'caller';
  /** Whether it is supplied whatever the configuration; else with `behaviour.mode: act`, and absent or empty without. */
  readonly supplied: boolean;
  /** Whether policy tests and command lines state it; otherwise it follows from what else they state. */
  readonly stated: boolean;
  /** What a person means who does not state it; nothing is known where this is left out. */
  readonly otherwise?: number;
  /** Some value, for evaluating policies that read it. */
  readonly sample: boolean | number | readonly string[];
  readonly about: string;
}

const names = z.array(z.string().min(1));

/**
 * Every such fact. Its type in Cedar stands in cedar/schema.cedarschema, its value comes from check/recall.ts; questions,
 * audit lines, policy tests and lint follow this table.
 */
export const facts = {
  inNetworks: {
    type: z.boolean(),
    of: 'caller',
    supplied: true,
    stated: false,
    sample: false,
    about: 'Whether the client is in the networks that the inventory lists for the workload.',
  },
  credentialAge: {
    type: z.int().min(0),
    of: 'caller',
    supplied: true,
    stated: true,
    otherwise: 60,
    sample: 1,
    about: 'Seconds since the credential was issued; default 60, null where it is not known.',
  },
  approvals: {
    type: names,
    of: 'request',
    supplied: true,
    stated: true,
    sample: [],
    about: 'What a person approved.',
  },
  risk: {
    type: z.int().min(0).max(100),
    of: 'caller',
    supplied: false,
    stated: true,
    sample: 0,
    about: 'Risk of the caller, 0 to 100; unknown until enough is known of it.',
  },
  signals: {
    type: names,
    of: 'caller',
    supplied: false,
    stated: true,
    sample: [],
    about: 'What was noticed about the caller.',
  },
} as const satisfies Readonly<Record<string, Fact>>;

export type FactName = keyof typeof facts;
type TypeOf<N extends FactName> = z.output<(typeof facts)[N]['type']>;

/** The facts of one question; null, or nothing in a set: not known. */
export type FactValues = {
  readonly [N in FactName]: TypeOf<N> extends readonly string[] ? ReadonlySet<string> : TypeOf<N> | null;
};

/** The facts as audit lines hold them, sets sorted. */
export type RecordedFacts = {
  readonly [N in FactName]: TypeOf<N> extends readonly string[] ? TypeOf<N> : TypeOf<N> | null;
};

type StatedName = { [N in FactName]: (typeof facts)[N]['stated'] extends true ? N : never }[FactName];

/** The facts that a person states; null: not known. */
export type StatedFacts = {
  readonly [N in StatedName]?: TypeOf<N> extends readonly string[]
    ? TypeOf<N> | undefined
    : TypeOf<N> | null | undefined;
};

const entries: readonly (readonly [FactName, Fact])[] = Object.entries(facts) as [FactName, Fact][];
const isSet = ({ type }: Fact): boolean => type instanceof z.ZodArray;

/** `of` of each fact, as a record of facts; what it gives fits the type of its fact. */
const each = <T>(of: (fact: Fact, name: FactName) => unknown): T =>
  Object.fromEntries(entries.map(([name, fact]) => [name, of(fact, name)])) as T;

const NOTHING: ReadonlySet<string> = new Set();

/** Nothing is known. */
export const unknownFacts: FactValues = Object.freeze(each<FactValues>((fact) => (isSet(fact) ? NOTHING : null)));

/** Names of the facts that a request may lack; the others are sets. */
export const optionalFacts: readonly FactName[] = entries.filter(([, fact]) => !isSet(fact)).map(([name]) => name);

/** Names of the facts that are supplied with `behaviour.mode: act` alone. */
export const unsuppliedFacts: readonly FactName[] = entries
  .filter(([, { supplied }]) => !supplied)
  .map(([name]) => name);

const ofRequest: readonly FactName[] = entries.filter(([, fact]) => fact.of === 'request').map(([name]) => name);

/** What of the facts about a request counts for a hop before the caller: nothing about the caller. */
export function factsOfEarlierHop(values: FactValues): FactValues {
  return { ...unknownFacts, ...Object.fromEntries(ofRequest.map((name) => [name, values[name]])) };
}

/** The facts as attributes of Cedar's `context`: what is not known is left out. */
export function contextOf(values: FactValues): { readonly [name: string]: boolean | number | string[] } {
  const context: { [name: string]: boolean | number | string[] } = {};
  for (const [name] of entries) {
    const value = values[name];
    if (value !== null) context[name] = typeof value === 'object' ? [...value] : value;
  }
  return context;
}

/** The facts as an audit line holds them. */
export function recordedFacts(values: FactValues = unknownFacts): RecordedFacts {
  const recorded: { [name: string]: boolean | number | string[] | null } = {};
  for (const [name] of entries) {
    const value = values[name];
    recorded[name] = typeof value === 'object' && value !== null ? [...value].sort() : value;
  }
  return recorded as RecordedFacts;
}

/** What an audit line holds, to be read again. A line that is older than a fact lacks it. */
export const recordedShape = each<{ readonly [N in FactName]: z.ZodType<RecordedFacts[N]> }>((fact) =>
  isSet(fact) ? fact.type.default([]) : fact.type.nullable().default(null),
);

const statedNames = entries.filter(([, { stated }]) => stated).map(([name]) => name as StatedName);

/** Names of the facts that a person could have stated, and did not. */
export const unstatedFacts = (stated: StatedFacts): readonly string[] =>
  statedNames.filter((name) => stated[name] === undefined);

/** The facts of an audit line as a person would state them. */
export const restated = (recorded: RecordedFacts): StatedFacts =>
  Object.fromEntries(statedNames.map((name) => [name, recorded[name]]));

/** What a person may state, with what the value says about itself. */
export const statedShape = Object.fromEntries(
  statedNames.map((name) => {
    const fact: Fact = facts[name];
    return [name, (isSet(fact) ? fact.type : fact.type.nullable()).optional().describe(fact.about)];
  }),
) as unknown as { readonly [N in StatedName]: z.ZodOptional<z.ZodType<StatedFacts[N]>> };

/** What is meant by what a person stated of the caller. */
export function factsOf(stated: StatedFacts): FactValues {
  return each((fact, name) => {
    const value = (stated as Readonly<Record<string, unknown>>)[name];
    return isSet(fact)
      ? new Set(value as readonly string[] | undefined)
      : value === undefined
        ? (fact.otherwise ?? null)
        : value;
  });
}

/** Some value of each fact that may be absent. */
export const sampleFacts: FactValues = each((fact) => (isSet(fact) ? NOTHING : fact.sample));
