/** What is wrong with a URL that keys are fetched from: `https`, or `http` on the loopback address; no user, no fragment. */
export function fetchUrlFault(text: string): string | null {
  const url = URL.parse(text);
  if (url === null || url.username !== '' || url.password !== '' || url.hash !== '')
    return 'is not a URL that can be fetched; write https://host/path without user or fragment';
  const loopback = url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
  if (url.protocol === 'https:' || (url.protocol === 'http:' && loopback)) return null;
  return 'would be fetched without TLS; write an https URL (http only on 127.0.0.1 or [::1])';
}

/** Whether keys may be fetched from this text as a URL. */
export const isFetchable = (text: string): boolean => fetchUrlFault(text) === null;
