import { addLegacyAccounts, legacySection } from './legacy.ts';
import { type WorldOptions, workload } from './world.ts';

const PROXIES = ['/ns/edge/sa/gateway', '/ns/edge/sa/waypoint'];

/** The mesh, and the same mesh with another configuration. */
export const worlds = {
  mesh: {},
  /** Requests come through two proxies, the gateway next to this Envoy. */
  proxies: {
    edit: ({ identity }) => {
      const trustedProxies = PROXIES.map((path) => ({ id: workload(path), mode: 'append-forward' }));
      identity.forwarded = { mode: 'append-forward', hop: 2, trustedProxies };
    },
  },
  /** People can be asked. */
  asking: {
    edit: (config) => {
      config.listen.control = { address: 'unix:./control.sock' };
      config.control = { audience: workload('/control'), url: 'https://control.internal:9443/' };
    },
  },
  /** Accounts show API keys. */
  legacy: {
    edit: ({ identity, log }) => {
      identity.legacy = legacySection();
      log.level = 'warn';
    },
    prepare: addLegacyAccounts,
  },
  /** Nothing is refused by policy. */
  'observe-only': {
    edit: ({ policy }) => {
      policy.unsafeObserveOnly = true;
    },
  },
} as const satisfies Readonly<Record<string, WorldOptions>>;

export type WorldName = keyof typeof worlds;
