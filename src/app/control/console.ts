import { systemClock } from '../../base/clock.ts';
import { Fault } from '../../base/fault.ts';
import { Seal } from '../../base/seal.ts';
import type { RevocationSource } from '../../check/revoked.ts';
import type { Config } from '../../config/schema.ts';
import { ConsolePage } from '../../control/console/console-page.ts';
import { type ApiOptions, ControlApi } from '../../control/http/api.ts';
import { type ControlServer, serveConsole } from '../../control/http/server.ts';
import { CALLBACK, type SignInOptions, SignInPages } from '../../control/sign-in/pages.ts';
import { Provider } from '../../control/sign-in/provider.ts';
import { Sessions } from '../../control/sign-in/sessions.ts';
import type { RedisState } from '../../state/redis/store.ts';
import { MemorySessions } from '../../state/sessions/memory.ts';
import { RedisSessions } from '../../state/sessions/redis-sessions.ts';
import { JwksSource, type KeyEvent } from '../../token/jwks-source.ts';
import { TokenVerifier } from '../../token/verifier.ts';
import type { TlsServing } from '../../trust/tls-server.ts';
import { readClientSecret } from './client-secret.ts';
import { sessionAuthenticator } from './session-authenticate.ts';

/** Logout tokens are few and short. */
const TOKEN_BYTES = 256 * 1024;
/** Keys that could not be read for so long verify no logout. */
const KEYS_MS = 86_400_000;

/** What the console stands on, running. */
export interface ConsoleStands extends Pick<SignInOptions, 'audit' | 'counted' | 'dropped' | 'onBug'> {
  /** The control API as it is served to workloads, but for who asks. */
  readonly api: Omit<ApiOptions, 'authenticate'>;
  readonly revocations: RevocationSource;
  readonly tls: TlsServing;
  /** The store that processes share; null: sessions are in the memory of this process. */
  readonly store: RedisState | null;
  readonly onKeys: (event: KeyEvent) => void;
}

/** The listener that people use, running. */
export interface ConsoleServer extends ControlServer {
  readonly inflight: () => number;
}

/** Serves the control API to people who sign in; null where that is off. Throws where a file or the port cannot be used. */
export async function startConsole(
  { control: { console: listener, signIn } }: Config,
  stands: ConsoleStands,
): Promise<ConsoleServer | null> {
  if (listener === null || signIn === null) return null;
  const { url } = listener;
  const { issuer, clientId, ca, idleMs, lifetimeMs, rereadMs } = signIn;
  const clock = systemClock.now;
  const clientSecret = await readClientSecret(signIn.clientSecretFile);
  if (clientSecret instanceof Fault) throw new Error(clientSecret.detail);
  const provider = new Provider({
    ...{ issuer, clientId, clientSecret, ca, scopes: signIn.scopes, groupsAt: signIn.groupsClaim, now: clock },
    redirectUri: `${url.origin}${CALLBACK}`,
  });
  const store =
    stands.store === null ? new MemorySessions() : new RedisSessions(stands.store, new Seal(clientSecret, 'sessions'));
  const sessions = new Sessions({
    ...{ store, idleMs, lifetimeMs, rereadMs },
    reread: (refreshToken, before) => provider.reread(refreshToken, before),
  });
  const keys = await JwksSource.open({
    issuer,
    origin: { from: 'discovery', ca },
    maxStaleMs: KEYS_MS,
    clock: systemClock,
    onEvent: stands.onKeys,
  });
  const { audit, counted, dropped, onBug } = stands;
  const pages = new SignInPages({
    ...{ provider, sessions, audit, counted, dropped, onBug, clock, origin: url.origin },
    seal: new Seal(clientSecret, 'sign-ins'),
    logout: { issuer, clientId, keys, tokens: new TokenVerifier({ byteLimit: TOKEN_BYTES }) },
  });
  const authenticate = sessionAuthenticator(sessions, url.origin, stands.revocations);
  const api = new ControlApi({ ...stands.api, authenticate });
  const page = await ConsolePage.open();
  try {
    const server = await serveConsole(listener.listen, stands.tls, url, api, [page, pages]);
    return {
      target: server.target,
      inflight: () => api.inflight,
      close: async (graceMs) => {
        await server.close(graceMs);
        keys.close();
        api.close();
        pages.close();
      },
    };
  } catch (error) {
    keys.close();
    throw error;
  }
}
