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
import { readBounded } from '../../source/bounded.ts';
import { MemorySessions } from '../../state/sessions/memory.ts';
import type { SessionStore } from '../../state/sessions/model.ts';
import { JwksSource, type KeyEvent } from '../../token/jwks-source.ts';
import { TokenVerifier } from '../../token/verifier.ts';
import type { TlsServing } from '../../trust/tls-server.ts';
import { sessionAuthenticator } from './session-authenticate.ts';

const MAX_SECRET = 4096;
/** What is sealed with it has to withstand guesses. */
const LEAST_SECRET = 32;
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
  /** The store that processes share, given what seals in it; null: sessions are in the memory of this process. */
  readonly store: ((seal: Seal) => SessionStore) | null;
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
  const clientSecret = await secretIn(signIn.clientSecretFile);
  const provider = new Provider({
    ...{ issuer, clientId, clientSecret, ca, scopes: signIn.scopes, groupsAt: signIn.groupsClaim, now: clock },
    redirectUri: `${url.origin}${CALLBACK}`,
  });
  const store = stands.store?.(new Seal(clientSecret, 'sessions')) ?? new MemorySessions();
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

/** The first line of the file of the client's secret. */
async function secretIn(file: string): Promise<string> {
  const bytes = await readBounded(file, MAX_SECRET, AbortSignal.timeout(5000));
  if (bytes instanceof Fault) throw new Error(`control.signIn.clientSecretFile: ${file}: ${bytes.detail}`);
  const [secret = ''] = Buffer.from(bytes).toString().split(/\r?\n/, 1);
  if (secret.length >= LEAST_SECRET) return secret;
  throw new Error(
    `control.signIn.clientSecretFile: ${file} has no secret of ${LEAST_SECRET} characters in its first line`,
  );
}
