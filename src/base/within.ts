/** What `promise` gives, or `late()` where that takes longer than `ms` milliseconds. The timer ends with it. */
export async function within<T, L>(promise: Promise<T> | T, ms: number, late: () => L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<L>((resolve) => {
    timer = setTimeout(() => resolve(late()), Math.max(0, ms));
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}
