/** A document that says what went wrong. */
export class Problem extends Error {
  constructor({ status, code, title, detail }) {
    super(detail ?? title);
    Object.assign(this, { status, code, title });
  }
}

/** Listeners of an answer that the session is over. */
export const signedOut = new EventTarget();

async function ask(path, options) {
  let answer;
  try {
    answer = await fetch(path, { credentials: 'same-origin', redirect: 'error', ...options });
  } catch {
    throw new Problem({ status: 0, code: 'unreachable', title: 'The control process cannot be reached' });
  }
  const json = await answer.json().catch(() => null);
  if (answer.ok) return json;
  if (answer.status === 401) signedOut.dispatchEvent(new Event('over'));
  throw new Problem({ status: answer.status, code: 'internal', title: `It answered ${answer.status}`, ...json });
}

export const get = (path, query = {}) => {
  const pairs = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== '');
  const text = new URLSearchParams(pairs).toString();
  return ask(text === '' ? path : `${path}?${text}`);
};

/** `key`: the same for a call and its repetition, so that it is carried out once. */
export const post = (path, body, key = null) =>
  ask(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(key !== null && { 'idempotency-key': key }) },
    body: JSON.stringify(body),
  });
