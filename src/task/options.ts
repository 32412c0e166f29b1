import type { DeclaredHeaderNames } from './declared.ts';

/** What the config says about tasks. */
export interface TaskOptions {
  /** Where a task may be said in plain headers; null switches them off. */
  readonly headers: DeclaredHeaderNames | null;
}
