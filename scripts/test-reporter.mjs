// Reporter for `node --test` that prints one JSON line per finished test, for scripts/test.mjs to read.

/** @param {AsyncIterable<{type: string, data: any}>} events */
export default async function* report(events) {
  for await (const { type, data } of events) {
    if (type === 'test:stderr') yield line({ kind: 'stderr', file: data.file, text: data.message });
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    if (data.details?.type === 'suite') continue;
    // A file without a test is reported as if it were one.
    if (type === 'test:pass' && data.nesting === 0 && data.name === data.file) continue;
    yield line(finished(type, data));
  }
}

function finished(type, data) {
  const skipped = data.skip !== undefined && data.skip !== false;
  const kind = skipped ? 'skip' : type === 'test:pass' ? 'pass' : 'fail';
  const record = { kind, name: data.name, file: data.file, ms: data.details?.duration_ms ?? 0 };
  if (skipped) record.reason = typeof data.skip === 'string' ? data.skip : 'no reason given';
  if (kind === 'fail') record.error = describe(data.details?.error);
  // A parent fails because a child did; the child has been counted.
  if (data.details?.error?.failureType === 'subtestsFailed') record.kind = 'parent';
  return record;
}

function describe(error) {
  const cause = error?.cause ?? error;
  return String(cause?.stack ?? cause?.message ?? cause);
}

function line(record) {
  return `${JSON.stringify(record)}\n`;
}
