/** What `run` gives, or null where it throws: for calls that throw when what they are given is no good, and for no other reason. */
export function attempt<T>(run: () => T): T | null {
  try {
    return run();
  } catch {
    return null;
  }
}
