import type { View, ViewedRequest } from './client-view.ts';
import { dpopProof, type SigningKey } from './tokens.ts';

/** What a DPoP client asks for: a request without the headers that it adds itself. */
export type DpopRequest = Omit<ViewedRequest, 'headers' | 'port' | 'svid' | 'host'>;

export interface DpopOptions {
  readonly token: string;
  readonly key: SigningKey;
  readonly origin: string;
  readonly send: (request: DpopRequest, headers: Readonly<Record<string, string>>) => Promise<View>;
}

/**
 * A client of a resource as RFC 9449 describes it: it presents its token with a new proof each time, uses the nonce that it
 * got last, with an allow too (section 8.2), and asks again once when it is told one (section 9).
 */
export class DpopClient {
  readonly #options: DpopOptions;
  /** The nonce for the next proof; null before the first. */
  nonce: string | null = null;
  /** Every answer so far, those included that only brought a nonce. */
  readonly answers: View[] = [];
  /** The headers that the last request went out with. */
  lastHeaders: Readonly<Record<string, string>> = {};

  constructor(options: DpopOptions) {
    this.#options = options;
  }

  async ask(request: DpopRequest): Promise<View> {
    const first = await this.#once(request);
    const wantsNonce = valuesOf(first, 'www-authenticate').some((value) =>
      /^DPoP .*error="use_dpop_nonce"/.test(value),
    );
    return first.status === 401 && wantsNonce ? this.#once(request) : first;
  }

  async #once(request: DpopRequest): Promise<View> {
    const { token, key, origin, send } = this.#options;
    const dpop = dpopProof({
      key,
      method: request.method,
      uri: origin + request.path,
      accessToken: token,
      ...(this.nonce === null ? {} : { nonce: this.nonce }),
    });
    this.lastHeaders = { authorization: `DPoP ${token}`, dpop };
    const view = await send(request, this.lastHeaders);
    this.answers.push(view);
    this.nonce = valuesOf(view, 'dpop-nonce')[0] ?? this.nonce;
    return view;
  }
}

/** The values of one header of an answer. */
export const valuesOf = ({ headers }: View, name: string): readonly string[] =>
  headers.filter(([one]) => one === name).map(([, value]) => value);
