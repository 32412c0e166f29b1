type Ending = { stop(): Promise<unknown> } | { close(): unknown };

/** Has the stack end what was started, by its `stop` or `close`. */
export function ending<T extends Ending>(stack: AsyncDisposableStack, one: T): T {
  return stack.adopt(one, async () => {
    await ('stop' in one ? one.stop() : one.close());
  });
}
