// Stands in for `node:test` where there is no Node: registers tests and runs them one after the other.

/** What a test function receives. */
export interface TestContext {
  readonly name: string;
  test(name: string, body: Body): Promise<void>;
  skip(reason?: string): void;
  diagnostic(message: string): void;
}

type Body = (context: TestContext) => unknown;

interface Options {
  readonly skip?: boolean | string;
}

/** One finished test, in the form that scripts/test.mjs counts. */
export interface Result {
  readonly kind: 'pass' | 'fail' | 'skip';
  readonly name: string;
  readonly file: string;
  readonly reason?: string;
  readonly error?: string;
}

interface Registered {
  readonly name: string;
  readonly options: Options;
  readonly body: Body;
}

const waiting: Registered[] = [];

/** Registers a test; it runs when its whole file has been evaluated. */
export function test(name: string, ...rest: [Body] | [Options, Body]): Promise<void> {
  const [options, body] = rest.length === 1 ? [{}, rest[0]] : rest;
  waiting.push({ name, options, body });
  return Promise.resolve();
}

/** Registers the tests that `body` registers. */
export function describe(_name: string, body: () => void): void {
  body();
}

export const it = test;
export default test;

/** Evaluates a file of tests by `load` and runs them; a file that cannot be evaluated is one failure. */
export async function runFile(file: string, load: () => Promise<unknown>): Promise<Result[]> {
  const results: Result[] = [];
  waiting.length = 0;
  try {
    await load();
  } catch (error) {
    results.push({ kind: 'fail', name: file, file, error: explain(error) });
  }
  for (const registered of waiting.splice(0)) await runOne(registered, file, results);
  return results;
}

async function runOne({ name, options, body }: Registered, file: string, results: Result[]): Promise<void> {
  if (options.skip !== undefined && options.skip !== false) {
    const reason = options.skip === true ? 'no reason given' : options.skip;
    results.push({ kind: 'skip', name, file, reason });
    return;
  }
  let skipped: string | undefined;
  const context: TestContext = {
    name,
    test: (child, childBody) =>
      runOne({ name: `${name} > ${child}`, options: {}, body: childBody }, file, results),
    skip: (reason = 'no reason given') => {
      skipped = reason;
    },
    diagnostic: () => undefined,
  };
  try {
    await body(context);
    if (skipped === undefined) results.push({ kind: 'pass', name, file });
    else results.push({ kind: 'skip', name, file, reason: skipped });
  } catch (error) {
    results.push({ kind: 'fail', name, file, error: explain(error) });
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${error.name}: ${error.message}\n${error.stack ?? ''}`;
}
