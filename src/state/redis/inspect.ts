import { Fault } from '../../base/fault.ts';

/** What matters of a server. */
export interface ServerFacts {
  readonly version: string;
  readonly role: string;
  readonly evictionPolicy: string;
  readonly usedBytes: number;
  /** 0: no limit but the machine's. */
  readonly maxBytes: number;
  readonly replicas: number;
  readonly appendOnly: boolean;
}

const LEAST_VERSION = 7;
/** Beyond this part of its memory it is time to act: nothing is evicted, so the next step is a refusal. */
const FULL_SHARE = 0.8;
const MIB = 2 ** 20;
/** Of what a server says of itself: it is shown, and logged. */
const MAX_VALUE = 64;

/** Reads the answer to INFO; a Fault when it is not that of a Redis or Valkey. */
export function readInfo(text: string): ServerFacts | Fault {
  const fields = new Map(
    text.split(/\r?\n/).flatMap((line) => {
      const at = line.indexOf(':');
      return at > 0 ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
    }),
  );
  const of = (name: string) => (fields.get(name) ?? '').slice(0, MAX_VALUE);
  const version = fields.get('valkey_version') ?? fields.get('redis_version');
  if (version === undefined || of('role') === '') return new Fault('the answer to INFO is not that of Redis or Valkey');
  return {
    version: version.slice(0, MAX_VALUE),
    role: of('role'),
    evictionPolicy: of('maxmemory_policy'),
    usedBytes: Number(of('used_memory')),
    maxBytes: Number(of('maxmemory')),
    replicas: Number(of('connected_slaves')),
    appendOnly: of('aof_enabled') === '1',
  };
}

/** What is wrong with a server, each with what to do. `errors`: it must not be used; `warnings`: it may soon refuse. */
export interface ServerFindings {
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** `neededBytes`: what all kinds of entries may take together; `replicas`: how many must have each claim. */
export function judgeServer(facts: ServerFacts, neededBytes: number, replicas: number): ServerFindings {
  const { version, role, evictionPolicy, usedBytes, maxBytes } = facts;
  const mib = (bytes: number) => `${Math.ceil(bytes / MIB)} MiB`;
  const errors: readonly (readonly [boolean, string])[] = [
    [
      !(Number.parseInt(version, 10) >= LEAST_VERSION),
      `its version is ${version}; use Redis or Valkey ${LEAST_VERSION} or newer`,
    ],
    [
      role !== 'master',
      `it is a replica, which takes no claims; name the primary in state.url, or state.sentinel, which finds it`,
    ],
    [
      evictionPolicy !== 'noeviction',
      `maxmemory-policy is ${evictionPolicy}: it would forget used proofs, and accept them again; set maxmemory-policy noeviction`,
    ],
  ];
  const warnings: readonly (readonly [boolean, string])[] = [
    [
      maxBytes > 0 && maxBytes < neededBytes,
      `maxmemory is ${mib(maxBytes)}, and limits.rememberedProofs, state.activity, state.tasks and the reserve may take ${mib(neededBytes)}; raise maxmemory, or lower these`,
    ],
    [
      maxBytes > 0 && usedBytes > FULL_SHARE * maxBytes,
      `${mib(usedBytes)} of ${mib(maxBytes)} are used; raise maxmemory: when it is full, every claim is refused`,
    ],
    [
      facts.replicas < replicas,
      `${facts.replicas} replicas are connected, and state.replicas wants ${replicas}: every claim is refused until they are`,
    ],
  ];
  const held = (rows: readonly (readonly [boolean, string])[]) => rows.filter(([is]) => is).map(([, text]) => text);
  return { errors: held(errors), warnings: held(warnings) };
}
