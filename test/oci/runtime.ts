// The OCI runtime under test, in both of its executables: `for (const runtime of RUNTIMES) test(...)`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readdirSync, readFileSync } from 'node:fs';
import {
  type Caller,
  type CallOptions,
  type Ended,
  Harness,
  skip as missing,
  ROOT,
} from '../harness/caisson.ts';

/** One of the executables with runc's command line. */
export interface Runtime {
  readonly name: string;
  /** Undefined: `dist/caisson oci`. */
  readonly executable: string | undefined;
  /** Why it cannot be tested here, for `test(name, { skip })`. */
  readonly skip: string | false;
}

const EMBEDDED = process.env.CAISSON_OCI ?? `${process.cwd()}/dist/caisson-oci`;

/** On Bun, and on QuickJS. */
export const RUNTIMES: readonly Runtime[] = [
  { name: 'caisson oci', executable: undefined, skip: missing },
  {
    name: 'caisson-oci',
    executable: EMBEDDED,
    skip: missing || (!existsSync(EMBEDDED) && `${EMBEDDED} is not built`),
  },
];

/** What `state` prints. */
export interface State {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Milliseconds between two looks at something that is awaited. */
const PAUSE = 10;

/** Bundles, a state directory and a cgroup for one runtime; close it at the end of the file. */
export class OciHarness extends Harness {
  private calls = 0;

  constructor(runtime: Runtime, caller: Caller = ROOT) {
    super(caller, runtime.skip === false ? runtime.executable : undefined);
  }

  /**
   * Runs a command of the runtime, `call(['state', id])`. What is printed goes to files, so that a container that
   * lives on with this output (`create`, `run --detach`) does not hold up the test.
   */
  call(args: readonly string[], options: CallOptions = {}): Ended {
    const [program = '', ...words] = this.commandLine(['oci', ...args], options);
    const [out, err] = ['stdout', 'stderr'].map((name) => `${this.directory}/${name}-${this.calls}`) as [
      string,
      string,
    ];
    this.calls++;
    const fds = [out, err].map((path) => openSync(path, 'w'));
    try {
      const { status, signal, error } = spawnSync(program, words, {
        ...this.spawnOptions(options),
        stdio: [options.input === undefined ? 'ignore' : 'pipe', ...fds],
        timeout: options.timeout ?? 20_000,
        killSignal: 'SIGKILL',
        ...(options.input === undefined ? {} : { input: options.input }),
      });
      if (error !== undefined && signal === null) throw error;
      const [stdout = '', stderr = ''] = [out, err].map((path) => readFileSync(path, 'latin1'));
      return { code: status ?? 128, stdout, stderr };
    } finally {
      for (const fd of fds) closeSync(fd);
    }
  }

  /** The same; it must succeed. Its output, and the file in which a container that lives on writes more. */
  succeed(args: readonly string[], options: CallOptions = {}): Ended & { readonly file: string } {
    const file = `${this.directory}/stdout-${this.calls}`;
    const ended = this.call(args, options);
    assert.equal(ended.code, 0, `${args.join(' ')}: exit ${ended.code}: ${ended.stderr}${ended.stdout}`);
    return { ...ended, file };
  }

  stateOf(id: string): State {
    return JSON.parse(this.succeed(['state', id]).stdout) as State;
  }

  /** Waits until the container has this status, at most ten seconds. */
  async untilStatus(id: string, status: string): Promise<void> {
    await this.untilTrue(() => this.stateOf(id).status === status, `${id} being ${status}`);
  }

  async untilTrue(holds: () => boolean, what: string): Promise<void> {
    for (let tries = 0; tries < 1000; tries++) {
      if (holds()) return;
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    assert.fail(`waited in vain for ${what}`);
  }

  /** Takes away what a failed test has left, and fails when anything else is there. */
  override close(): void {
    for (const id of existsSync(this.state) ? readdirSync(this.state) : [])
      if (!id.startsWith('.')) this.call(['delete', '--force', id]);
    super.close();
  }
}
