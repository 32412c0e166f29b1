// Plain JavaScript, so that an old Node can run it.
//
// V8 aborts where a function that inlined a call of a Wasm export returning an externref was optimised, and is lazily
// deoptimised while that call is on the stack. Calls of cedar-wasm look like that once they are hot.

/** Unsigned bytes with their count before them, as Wasm writes vectors. Everything here is shorter than 128. */
const vector = (...items) => [items.length, ...items.flat(Infinity)];
const section = (id, content) => [id, content.length, ...content];
const name = (text) => vector(...Buffer.from(text));
const EXTERNREF = 0x6f;
const FUNCTION = 0x60;

// (module (import "js" "call" (func (param externref) (result externref)))
//         (func (export "pass") (param externref) (result externref) local.get 0 call 0))
const module = new WebAssembly.Module(
  new Uint8Array(
    [
      [0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      section(1, vector([FUNCTION, vector(EXTERNREF), vector(EXTERNREF)])),
      section(2, vector([...name('js'), ...name('call'), 0, 0])),
      section(3, vector(0)),
      section(7, vector([...name('pass'), 0, 1])),
      section(10, vector(vector(0, 0x20, 0, 0x10, 0, 0x0b))),
    ].flat(Infinity),
  ),
);

let deoptimise = false;
const assumed = { value: 1 };
const call = (argument) => {
  // The optimised caller, which is on the stack now, assumed that this never changes.
  if (deoptimise) assumed.value = 2;
  return argument;
};
const { pass } = new WebAssembly.Instance(module, { js: { call } }).exports;

function hot(argument) {
  const result = pass(argument);
  return result === argument ? assumed.value : -1;
}

const argument = {};
for (let i = 0; i < 3_000_000; i++) hot(argument);
// The optimising compiler works beside this thread: give it time to hand its code over.
await new Promise((resolve) => setTimeout(resolve, 50));
for (let i = 0; i < 1_000_000; i++) hot(argument);
deoptimise = true;
const result = hot(argument);
process.stdout.write(`${process.version} ${result === 2 ? 'right' : `WRONG: ${result}`}\n`);
process.exitCode = result === 2 ? 0 : 1;
