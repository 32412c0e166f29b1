import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../support/run.ts';
import type { Command } from '../support/sidecar.ts';
import type { Registry } from './registry.ts';

/** What an image says of how it is run (OCI image specification, "Image Configuration"). */
export interface ImageConfig {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly WorkingDir: string;
}

export interface Image {
  /** The unpacked file system. */
  readonly root: string;
  readonly config: ImageConfig;
  /** Bytes of the layers as they travel. */
  readonly compressed: number;
}

interface Descriptor {
  readonly digest: string;
  readonly size: number;
}

/** Unpacks an image that was pushed. It is made of layers that only add. */
export async function unpack(registry: Registry, reference: string, root: string): Promise<Image> {
  const manifest = registry.json(reference) as { readonly config: Descriptor; readonly layers: readonly Descriptor[] };
  const { config } = registry.json(manifest.config.digest) as { readonly config: ImageConfig };
  mkdirSync(root);
  for (const { digest } of manifest.layers) {
    const archive = `${root}.layer`;
    writeFileSync(archive, registry.content.get(digest) ?? '');
    await run('tar', ['-xzpf', archive, '-C', root]);
  }
  // What every engine mounts.
  for (const name of ['proc', 'dev', 'sys/fs/cgroup']) mkdirSync(join(root, name), { recursive: true });
  return { root, config, compressed: manifest.layers.reduce((sum, { size }) => sum + size, 0) };
}

/** As the chart runs it beside Envoy: its user, and the group that Envoy runs with. */
const USER = 65532;
const GROUP = 101;

/**
 * In a mount namespace of its own: the root read-only, `/proc`, the control groups (Node reads its memory limit
 * there), four devices and the folder alone added. Then the process
 * becomes the user without groups, capabilities and the way to new privileges.
 */
const script = `
set -e
mount --bind "$ROOT" "$ROOT"
mount -t proc proc "$ROOT/proc"
mount --rbind /sys/fs/cgroup "$ROOT/sys/fs/cgroup"
mount -t tmpfs -o mode=755 dev "$ROOT/dev"
for device in null zero random urandom; do : > "$ROOT/dev/$device"; mount --bind "/dev/$device" "$ROOT/dev/$device"; done
mkdir -p "$ROOT$DIR"
mount --bind "$DIR" "$ROOT$DIR"
if [ -n "$AUTHORITIES" ]; then mount --bind "$AUTHORITIES" "$ROOT/etc/ssl/certs/ca-certificates.crt"; fi
mount -o remount,bind,ro "$ROOT"
chown -R ${USER}:${GROUP} "$DIR"
exec env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "\${VARIABLES[@]}" \\
  setpriv --no-new-privs --inh-caps=-all --bounding-set=-all,+sys_chroot,+setuid,+setgid \\
  chroot --userspec=${USER}:${GROUP} --groups= "$ROOT" "$@"
`;

/**
 * Runs a program of the image as the chart runs it, as far as that goes without an engine: by unshare and chroot, which need
 * root. No seccomp filter, and the network and the processes of the machine. `authorities` is mounted over the image's.
 */
export const inImage =
  (image: Image, program: readonly string[], authorities = ''): Command =>
  (args, dir) => {
    const variables = `ROOT=${quoted(image.root)} DIR=${quoted(dir)} AUTHORITIES=${quoted(authorities)} VARIABLES=(${image.config.Env.map(quoted).join(' ')})`;
    const inside = ['bash', '-c', `${variables}\n${script}`, 'image', ...program, ...args];
    return { file: 'unshare', args: ['--mount', '--propagation=private', ...inside] };
  };

/** The entry point of the image, as the chart starts it: with arguments of its own. */
export const entryPoint = (image: Image): Command => inImage(image, image.config.Entrypoint);

const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
