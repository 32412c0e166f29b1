import { resolve } from 'node:path';
import { Fault } from '../base/fault.ts';
import { MAX_ACCOUNTS } from '../state/bounded/touched.ts';
import { contradiction } from './contradiction.ts';
import { leaf } from './values/leaf.ts';
import * as s from './values/scalars.ts';

const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26379;

/** Where a Redis or Valkey is. */
export type StoreAddress =
  | { readonly kind: 'unix'; readonly path: string; readonly database: number }
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly database: number;
      readonly tls: boolean;
      readonly loopback: boolean;
    };

const isLoopback = (host: string): boolean => host === '::1' || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(host);

/** `redis://HOST[:PORT][/DATABASE]`, the same with `rediss` for TLS, or `unix:///path`. */
const storeUrl = (folder: string) =>
  leaf('redis, rediss or unix URL', (value): StoreAddress | Fault => {
    const socket = /^unix:\/\/(\/[^?#%]+)$/.exec(value)?.[1];
    if (socket !== undefined) return { kind: 'unix', path: resolve(folder, socket), database: 0 };
    const wrong = new Fault(
      'is not the address of a store; write redis://HOST:PORT, rediss://HOST:PORT for TLS, or unix:///path',
    );
    const url = /^rediss?:\/\//.test(value) && URL.canParse(value) ? new URL(value) : null;
    if (url === null) return wrong;
    if (url.username !== '' || url.password !== '')
      return new Fault('holds a user or a password; set state.username and state.passwordFile');
    const database = /^\/?(\d{0,3})$/.exec(url.pathname)?.[1];
    if (database === undefined || url.hostname === '' || url.search !== '' || url.hash !== '') return wrong;
    const host = url.hostname.replace(/^\[|\]$/g, '');
    return {
      kind: 'tcp',
      host,
      port: url.port === '' ? DEFAULT_PORT : Number(url.port),
      database: Number(database),
      tls: url.protocol === 'rediss:',
      loopback: isLoopback(host),
    };
  });

/** `HOST:PORT` of a Sentinel. */
const sentinelAddress = () =>
  leaf('HOST or HOST:PORT', (value) => {
    const [, six, name, digits] = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]{1,253}))(?::(\d{1,5}))?$/.exec(value) ?? [];
    const [host, port] = [six ?? name, digits === undefined ? DEFAULT_SENTINEL_PORT : Number(digits)];
    if (host !== undefined && port > 0 && port < 65_536) return { host, port };
    return new Fault('is not the address of a Sentinel; write HOST:PORT, such as sentinel-0.redis:26379');
  });

const user = (folder: string) => ({
  username: s.optional(s.text()).describe('The ACL user to log in as; left out: the default user'),
  passwordFile: s
    .optional(s.path(folder))
    .describe('File with the password in its first line; read again for each connection'),
});

/** Null where nobody logs in. */
const userOf = ({ username, passwordFile }: { username: string | null; passwordFile: string | null }) =>
  passwordFile === null ? null : { username: username ?? 'default', passwordFile };

const tls = (folder: string) =>
  s
    .section({
      ca: s
        .optional(s.path(folder))
        .describe('PEM file of the authorities to trust instead of the system’s; read again for each connection'),
      certificate: s.optional(s.path(folder)).describe('PEM file of a client certificate, if the server asks for one'),
      key: s.optional(s.path(folder)).describe('PEM file of its key'),
      serverName: s
        .optional(s.text())
        .describe('The name that the server’s certificate must have; left out: the host that is connected to'),
    })
    .check((ctx) => {
      const { certificate, key } = ctx.value;
      if ((certificate === null) !== (key === null))
        contradiction(ctx, [key === null ? 'key' : 'certificate'], 'is missing: certificate and key belong together');
    })
    .transform(({ ca, certificate, key, serverName }) => ({
      ca,
      serverName,
      client: certificate === null || key === null ? null : { certificate, key },
    }));

const sentinel = (folder: string) =>
  s
    .section({
      name: s.text().describe('The name under which the Sentinels know the primary'),
      addresses: s
        .list(sentinelAddress(), 16, ({ host, port }) => `${host}:${port}`)
        .min(1, { error: 'is empty; list the Sentinels' })
        .describe('The Sentinels; asked in this order'),
      ...user(folder),
    })
    .transform(({ name, addresses, ...login }) => ({ name, addresses, user: userOf(login) }));

/** A part of every key in the store: it must not end the hash tag that the keys share. */
const namespace = () =>
  leaf('name', (value) =>
    /^[a-z0-9][a-z0-9.-]{0,62}$/.test(value)
      ? value
      : new Fault('is not a name; write up to 63 lower-case letters, digits, dots and dashes'),
  );

const activity = () =>
  s
    .section({
      denials: s
        .count(0, 1_000_000)
        .prefault(10_000)
        .describe(
          'Denials that are kept, up to 2 KiB each; one caller gets a hundredth of them at once, and then one in 30 s',
        ),
      allows: s.count(0, 1_000_000).prefault(1000).describe('Allows that are kept, up to 2 KiB each'),
      oneAllowIn: s
        .count(1, 1_000_000)
        .prefault(100)
        .describe('Of so many allows of a workload the first is kept, but at most one a second'),
      workloads: s
        .count(0, 1_000_000)
        .prefault(10_000)
        .describe('Workloads whose last use is kept, up to 4 KiB each: those that were used last'),
    })
    .check((ctx) => {
      const { allows, workloads } = ctx.value;
      if (workloads === 0 && allows > 0)
        contradiction(ctx, ['allows'], 'are counted by workload; set it to 0 too, or state.activity.workloads higher');
    });

const tasks = () =>
  s
    .section({
      perWorkload: s
        .count(1, 100_000)
        .prefault(1000)
        .describe('Registered tasks of one workload, those that are over and still remembered among them'),
      all: s
        .count(1, 1_000_000)
        .prefault(100_000)
        .describe('The same of all workloads together, 2 KiB each in a store'),
    })
    .check((ctx) => {
      if (ctx.value.perWorkload > ctx.value.all) contradiction(ctx, ['perWorkload'], 'is more than state.tasks.all');
    });

const touched = () =>
  s.section({
    window: s
      .duration('1m', '7d')
      .prefault('24h')
      .describe('How long what a workload opened counts, at least; of a registered task it counts until its end'),
    accounts: s
      .count(100, 1_000_000)
      .prefault(MAX_ACCOUNTS)
      .describe('Workloads and tasks of which it is remembered, 4 KiB each at most; beyond, what opens is refused'),
    nothingBefore: s
      .optional(s.utcInstant())
      .describe(
        'Nothing that was opened before this instant counts, also where it is not known: for a first start, and after the loss of a store that was looked into. No more than an hour ahead of the start',
      ),
  });

/** The section `state`: what outlives a request. */
export const state = (folder: string) =>
  s
    .section({
      store: s
        .word(['memory', 'redis'])
        .prefault('memory')
        .describe(
          'memory: lost at shutdown, and not shared between sidecars; redis: Redis or Valkey, see [state.md](state.md)',
        ),
      url: s.optional(storeUrl(folder)).describe('The server, without user and password; left out with `sentinel`'),
      ...user(folder),
      tls: s
        .optional(tls(folder))
        .describe(
          'How the server proves itself, with a `rediss` URL or with `sentinel`; `{}`: by the system’s authorities',
        ),
      sentinel: s
        .optional(sentinel(folder))
        .describe('Sentinels that know which server is the primary, instead of `url`'),
      namespace: namespace()
        .prefault('default')
        .describe('Part of every key: sidecars that share a store and this name share what is remembered'),
      timeout: s
        .duration('5ms', '10s')
        .prefault('100ms')
        .describe('How long a check waits for the store; later answers count as none (`state_unavailable`)'),
      durability: s
        .word(['primary', 'replicas'])
        .prefault('primary')
        .describe('replicas: a use counts only when `replicas` replicas have it, which closes a split brain too'),
      replicas: s
        .count(1, 16)
        .prefault(1)
        .describe('With `durability: replicas`: how many, which should be all that could become the primary'),
      maxStale: s
        .duration('500ms', '1m')
        .prefault('2s')
        .describe(
          'How old what is known of the revocations and tasks in the store may be; beyond, checks are refused (`state_unavailable`)',
        ),
      unsafeMaxStale: s
        .optional(s.duration('1m', '1d'))
        .describe('The same beyond a minute, instead of maxStale: so long a revocation may be unknown here'),
      activity: activity()
        .prefault({})
        .describe('What the lists of the control API are made of; the same in all sidecars with one store'),
      tasks: tasks().prefault({}).describe('How many registered tasks there may be; beyond, none begins'),
      touched: touched()
        .prefault({})
        .describe(
          'What workloads and tasks opened, for policies that read `touched`; the same in all sidecars with one store',
        ),
      unsafePlaintext: s
        .flag()
        .prefault(false)
        .describe(
          'Lets the store lie off the loopback address without TLS: whoever is on the way reads the password and can answer in its place',
        ),
    })
    .check((ctx) => {
      const { store, url, sentinel, tls, username, passwordFile, durability, unsafePlaintext } = ctx.value;
      const own = { url, sentinel, tls, username, passwordFile, unsafeMaxStale: ctx.value.unsafeMaxStale };
      if (store === 'memory') {
        for (const [key, value] of Object.entries(own))
          if (value !== null) contradiction(ctx, [key], 'is for state.store: redis; set that, or drop it');
        if (durability !== 'primary' || unsafePlaintext)
          contradiction(
            ctx,
            [unsafePlaintext ? 'unsafePlaintext' : 'durability'],
            'is for state.store: redis; drop it',
          );
        return;
      }
      if ((url === null) === (sentinel === null))
        contradiction(ctx, ['url'], 'or state.sentinel says where the store is: write exactly one of them');
      if (username !== null && passwordFile === null) contradiction(ctx, ['username'], 'needs state.passwordFile');
      const plain = url?.kind === 'tcp' && !url.tls;
      if (tls !== null && (plain || url?.kind === 'unix'))
        contradiction(ctx, ['tls'], 'needs a rediss URL, or state.sentinel');
      if (unsafePlaintext) return;
      const advice = 'whoever is on the way could answer in its place; use TLS, or set state.unsafePlaintext';
      if (plain && !url.loopback) contradiction(ctx, ['url'], `lies off the loopback address without TLS: ${advice}`);
      if (sentinel !== null && tls === null && !sentinel.addresses.every(({ host }) => isLoopback(host)))
        contradiction(ctx, ['sentinel'], `lies off the loopback address without state.tls: ${advice}`);
    })
    .transform((value) => {
      const {
        store,
        url,
        sentinel,
        tls: given,
        timeout,
        durability,
        replicas,
        activity,
        tasks,
        touched,
        ...rest
      } = value;
      if (store === 'memory')
        return { store, activity, tasks, touched, unsafePlaintext: false, unsafeMaxStale: false } as const;
      const overTls = url?.kind === 'tcp' && url.tls;
      return {
        store,
        endpoint: url,
        sentinels: sentinel,
        database: url?.kind === 'tcp' ? url.database : 0,
        tls: given ?? (overTls ? { ca: null, serverName: null, client: null } : null),
        user: userOf(rest),
        namespace: rest.namespace,
        timeoutMs: timeout,
        replicas: durability === 'replicas' ? replicas : 0,
        maxStaleMs: rest.unsafeMaxStale ?? rest.maxStale,
        unsafeMaxStale: rest.unsafeMaxStale !== null,
        activity,
        tasks,
        touched,
        unsafePlaintext: rest.unsafePlaintext,
      } as const;
    });
