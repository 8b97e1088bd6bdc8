// Images for tests, as archives of docker's old form: a busybox, and layers upon it.
import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { concat, END, type Header, member } from '../../src/image/tar.testing.ts';
import { makeRootfs } from '../harness/rootfs.ts';
import { sha256 } from './world.ts';

/** A member of a layer: a name or a header, and content. */
export type Member = readonly [Header | string, string?];

/** A layer of some members. */
export function layer(...members: readonly Member[]): Buffer {
  const made = members.map(([head, content = '']) =>
    member(typeof head === 'string' ? { name: head } : head, content),
  );
  return Buffer.from(concat(...made, END));
}

let busybox: Buffer | undefined;

/** The layer of a whole root file system. */
export function busyboxLayer(directory: string): Buffer {
  if (busybox !== undefined) return busybox;
  const root = `${directory}/busybox-root`;
  makeRootfs(root);
  const owners = ['--owner=0', '--group=0', '--numeric-owner', '--sort=name', '--mtime=@0'];
  busybox = execFileSync('tar', ['-c', ...owners, '-C', root, '.'], { maxBuffer: 1 << 28 });
  rmSync(root, { recursive: true });
  return busybox;
}

export interface ImageParts {
  readonly name: string;
  readonly layers: readonly Buffer[];
  readonly config?: object;
  readonly platform?: object;
  readonly history?: readonly object[];
}

const architecture = process.arch === 'x64' ? 'amd64' : process.arch;

/** The configuration's document. */
export function configOf({ layers, config = {}, platform = {}, history }: ImageParts): string {
  return JSON.stringify({
    architecture,
    os: 'linux',
    ...platform,
    created: '2024-01-02T03:04:05Z',
    config: { Env: ['PATH=/bin'], Cmd: ['sh'], ...config },
    rootfs: { type: 'layers', diff_ids: layers.map((each) => `sha256:${sha256(each)}`) },
    history:
      history ?? layers.map((_, at) => ({ created: '2024-01-02T03:04:05Z', created_by: `layer ${at}` })),
  });
}

/** `docker save`'s archive of before docker 25. */
export function oldArchive(...images: readonly ImageParts[]): Buffer {
  const files = new Map<string, string>();
  const list = images.map((image) => {
    const config = configOf(image);
    const name = `${sha256(config)}.json`;
    files.set(name, config);
    const layers = image.layers.map((each) => {
      const path = `${sha256(each)}/layer.tar`;
      files.set(path, each.toString('latin1'));
      return path;
    });
    return { Config: name, RepoTags: [image.name], Layers: layers };
  });
  const members = [...files].map(([name, content]) => member({ name }, content));
  return Buffer.from(concat(...members, member({ name: 'manifest.json' }, JSON.stringify(list)), END));
}
