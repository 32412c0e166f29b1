import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.ts';

/** What can build the image, the first choice first. */
export const engines = ['buildah', 'podman', 'docker'] as const;
type Engine = (typeof engines)[number];

/** The engine of that name, or the first one that is installed. */
export function findEngine(wanted: string | undefined): Engine {
  const named = engines.filter((engine) => wanted === undefined || engine === wanted);
  const found = named.find((engine) => {
    try {
      run(engine, ['--version']);
      return true;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`none of ${(named.length === 0 ? engines : named).join(', ')} is installed`);
  return found;
}

/** Builds the image from the context. Its digest depends on the context alone, and on the engine's version. */
export function buildImage(engine: Engine, name: string, containerfile: string, context: string): void {
  const common = ['-f', containerfile, '-t', name];
  const args = {
    buildah: ['build', ...common, '--layers', '--timestamp=0', '--pull-never', context],
    podman: ['build', ...common, '--layers', '--timestamp=0', '--pull=never', context],
    // BuildKit takes the time from the variable; the files have theirs.
    docker: ['build', ...common, '--build-arg', 'SOURCE_DATE_EPOCH=0', '--provenance=false', context],
  };
  run(engine, args[engine]);
}

/** The digest of the manifest that a registry would have, of an image that is written into a folder (an OCI layout). */
export function saveImage(engine: Engine, name: string, folder: string): string {
  if (engine === 'docker') throw new Error('docker writes no OCI layout; install buildah or podman');
  return pushTo(engine, name, `oci:${folder}`);
}

/** Sends the image to the registry in its name; the digest of the manifest that lies there. */
export function pushImage(engine: Engine, name: string): string {
  if (engine === 'docker') {
    const digest = /digest: (sha256:[0-9a-f]{64})/.exec(run(engine, ['push', name]))?.[1];
    if (digest === undefined) throw new Error('docker push names no digest');
    return digest;
  }
  return pushTo(engine, name, `docker://${name}`);
}

function pushTo(engine: Engine, name: string, destination: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'push-'));
  try {
    const file = join(dir, 'digest');
    run(engine, ['push', `--digestfile=${file}`, name, destination]);
    return readFileSync(file, 'utf8').trim();
  } finally {
    rmSync(dir, { recursive: true });
  }
}
