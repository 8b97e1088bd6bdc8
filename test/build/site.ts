// A place to build in: contexts of files, a base image of Debian's busybox, and caisson with a store of its own.
import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Caller, CallOptions, Ended } from '../harness/caisson.ts';
import { readText, World } from '../images/world.ts';

/** A file's content, or where a link leads. */
export type Content = string | { readonly link: string };

/** The configuration and layers of an image, as its documents have them. */
export interface Image {
  readonly config: {
    readonly created: string;
    readonly config: Readonly<Record<string, unknown>>;
    readonly history: readonly { readonly created_by: string; readonly created: string }[];
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
  readonly layers: readonly { readonly digest: string; readonly mediaType: string }[];
}

const BASE = `FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
COPY passwd group /etc/
`;

export class Site extends World {
  private count = 0;

  constructor(caller: Caller) {
    super(caller);
    const context = this.context({
      Dockerfile: BASE,
      passwd: 'root:x:0:0::/root:/bin/sh\nalice:x:1000:1001::/home/alice:/bin/sh\n',
      group: 'root:x:0:\nstaff:x:50:\n',
    });
    copyFileSync('/bin/busybox', `${context}/busybox`);
    chmodSync(`${context}/busybox`, 0o755);
    this.harness.own(`${context}/busybox`);
    this.output(['build', '-q', '-t', 'bb', context]);
  }

  /** A directory with these files. */
  context(files: Readonly<Record<string, Content>>): string {
    const directory = `${this.directory}/context-${this.count++}`;
    mkdirSync(directory);
    this.harness.own(directory);
    for (const [name, content] of Object.entries(files)) this.put(`${directory}/${name}`, content);
    return directory;
  }

  put(path: string, content: Content): void {
    mkdirSync(dirname(path), { recursive: true });
    rmSync(path, { force: true });
    if (typeof content === 'string') writeFileSync(path, content, { mode: 0o644 });
    else symlinkSync(content.link, path);
    for (let at = path; at.startsWith(`${this.directory}/`); at = dirname(at))
      if (typeof content === 'string' || at !== path) this.harness.own(at);
  }

  build(
    dockerfile: string,
    files: Readonly<Record<string, Content>> = {},
    args: readonly string[] = [],
    options?: CallOptions,
  ): Ended {
    const context = this.context({ ...files, Dockerfile: dockerfile });
    return this.call(['build', '--progress', 'plain', ...args, context], options);
  }

  /** Builds and runs; what the command prints. */
  show(
    dockerfile: string,
    script: string,
    files: Readonly<Record<string, Content>> = {},
    args: readonly string[] = [],
  ): string {
    const ended = this.build(dockerfile, files, ['-t', 'shown', ...args]);
    assert.equal(ended.code, 0, ended.stderr);
    return this.output(['run', '--rm', '-q', 'shown', 'sh', '-c', script]);
  }

  /** The documents of an image of the store. */
  image(name: string): Image {
    const index = this.json(`${this.dataRoot}/index.json`) as {
      manifests: { digest: string; annotations?: Record<string, string> }[];
    };
    const wanted = `docker.io/library/${name}`;
    const entry = index.manifests.find(
      ({ annotations }) => annotations?.['org.opencontainers.image.ref.name'] === wanted,
    );
    assert.ok(entry !== undefined, `${wanted} is not in ${JSON.stringify(index)}`);
    const manifest = this.blob(entry.digest) as { config: { digest: string }; layers: Image['layers'] };
    return { config: this.blob(manifest.config.digest) as Image['config'], layers: manifest.layers };
  }

  private json(path: string): unknown {
    return JSON.parse(readText(path));
  }

  private blob(digest: string): unknown {
    return this.json(`${this.dataRoot}/blobs/${digest.replace(':', '/')}`);
  }

  blobPath(digest: string): string {
    return `${this.dataRoot}/blobs/${digest.replace(':', '/')}`;
  }

  /** Builds have left nothing but results. */
  assertNoSessions(): void {
    const list = (name: string) =>
      existsSync(`${this.dataRoot}/build/${name}`) ? readdirSync(`${this.dataRoot}/build/${name}`) : [];
    assert.deepEqual(list('sessions'), []);
    for (const step of list('steps'))
      assert.deepEqual(
        readdirSync(`${this.dataRoot}/build/steps/${step}`).filter(
          (name) => !/^(?:upper|step\.json|blob-.*\.json|nothing)$/.test(name),
        ),
        [],
        step,
      );
  }

  override close(): void {
    this.assertNoSessions();
    super.close();
  }
}

/** How many pieces of work were taken from the cache. */
export function cached(ended: Ended): number {
  return ended.stderr.match(/^#\d+ CACHED$/gm)?.length ?? 0;
}
