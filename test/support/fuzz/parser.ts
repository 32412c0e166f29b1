import fc from 'fast-check';

/** What came of feeding one parser. */
export interface Found {
  readonly name: string;
  readonly inputs: number;
  /** How many of them the parser took: a fuzz that is refused at the door shows nothing of the house. */
  readonly taken: number;
  /** What it threw, or what was wrong with its answer, with the shortest input that shows it; null when all was well. */
  readonly fault: string | null;
  /** CPU time of the slowest input: what else the machine does shows less in it. */
  readonly slowestMs: number;
  readonly slowest: string;
}

/** A parser that can be fed for a while. */
export interface Parser {
  readonly name: string;
  readonly feed: (seconds: number, seed: number) => Promise<Found>;
}

/** The first inputs pay for compilation. */
const WARM_UP = 20;
/** A slow input is read again: what was slow once was the machine. */
const TRIES = 4;
const EXCERPT = 160;
const WHOLE = 8000;

/**
 * Feeds `read` with inputs; it must not throw. `judge` looks at what came back: it throws when an answer is wrong, and
 * says whether the input was taken. Only `read` is timed, and must give the same answer for the same input.
 */
export function parser<I, O>(
  name: string,
  inputs: fc.Arbitrary<I>,
  read: (input: I) => O | Promise<O>,
  judge: (output: O, input: I) => boolean,
): Parser {
  const timed = async (input: I): Promise<{ ms: number; output: O }> => {
    const start = process.cpuUsage();
    const output = await read(input);
    const { user, system } = process.cpuUsage(start);
    return { ms: (user + system) / 1000, output };
  };
  const feed = async (seconds: number, seed: number): Promise<Found> => {
    const seen = { inputs: 0, taken: 0, slowestMs: 0, slowest: '' };
    const property = fc.asyncProperty(inputs, async (input) => {
      let { ms, output } = await timed(input);
      if (++seen.inputs > WARM_UP) {
        for (let i = 0; i < TRIES && ms > seen.slowestMs; i++) ms = Math.min(ms, (await timed(input)).ms);
        if (ms > seen.slowestMs) [seen.slowestMs, seen.slowest] = [ms, shown(input, EXCERPT)];
      }
      if (judge(output, input)) seen.taken++;
    });
    const result = await fc.check(property, {
      seed,
      numRuns: Number.MAX_SAFE_INTEGER,
      interruptAfterTimeLimit: seconds * 1000,
      markInterruptAsFailure: false,
    });
    const fault = result.failed
      ? `${firstLines(result.errorInstance)} for ${shown(result.counterexample?.[0], WHOLE)}`
      : null;
    return { name, ...seen, fault };
  };
  return { name, feed };
}

/** The beginning of an input, and how long it is; bytes as hexadecimal digits. */
function shown(input: unknown, most: number): string {
  // A Buffer is asked for its JSON before the replacer sees it.
  const text =
    JSON.stringify(input, function replace(this: Record<string, unknown>, name, value) {
      const held = this[name];
      return held instanceof Uint8Array ? Buffer.from(held).toString('hex') : value;
    }) ?? '';
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}

function firstLines(error: unknown): string {
  return String(error instanceof Error ? error.stack : error)
    .split('\n')
    .slice(0, 12)
    .join('\n')
    .slice(0, 1200);
}
