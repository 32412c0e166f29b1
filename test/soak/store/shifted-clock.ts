import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../support/run.ts';

/** What a program of C takes for the time, moved by the seconds in a file. (libfaketime clashes with jemalloc.) */
const SOURCE = `
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
static volatile long *seconds;
__attribute__((constructor)) static void begin(void) {
  seconds = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, open(getenv("CLOCK_SECONDS"), O_RDONLY), 0);
}
int gettimeofday(struct timeval *restrict time, void *restrict zone) {
  long result = syscall(SYS_gettimeofday, time, zone);
  time->tv_sec += *seconds;
  return (int)result;
}
`;

/** The clock of another program, which can be moved while it runs. */
export class ShiftedClock {
  readonly #file: string;
  /** The environment in which the program has to be started. */
  readonly env: NodeJS.ProcessEnv;

  private constructor(folder: string) {
    this.#file = join(folder, 'seconds');
    this.env = { ...process.env, LD_PRELOAD: join(folder, 'clock.so'), CLOCK_SECONDS: this.#file };
  }

  /** Makes it in a folder; needs a C compiler. */
  static async in(folder: string): Promise<ShiftedClock> {
    const source = join(folder, 'clock.c');
    writeFileSync(source, SOURCE);
    await run('cc', ['-shared', '-fPIC', '-O1', '-o', join(folder, 'clock.so'), source]);
    const clock = new ShiftedClock(folder);
    writeFileSync(clock.#file, Buffer.alloc(8));
    return clock;
  }

  /** Moves it by so many seconds against the machine's. */
  move(seconds: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(seconds));
    // In place: the program has the file mapped.
    const file = openSync(this.#file, 'r+');
    writeSync(file, bytes);
    closeSync(file);
  }
}
