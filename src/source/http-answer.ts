/** Too many requests, or a server that cannot keep up: the same may be sent again later (RFC 9110 section 15, RFC 6585 section 4). */
const BUSY: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export const isBusy = (status: number): boolean => BUSY.has(status);

/** What is said of an answer that is no success: its status, and that a redirect leads away from what the configuration names. */
export const answeredText = (status: number): string =>
  `it answered ${status}${status >= 300 && status < 400 ? ', and redirects are not followed' : ''}`;
