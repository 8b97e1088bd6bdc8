// Values as Go's fmt prints them: the lines of an image's history are written so.

const SHORT: Readonly<Record<string, string>> = {
  '\x07': '\\a',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\v': '\\v',
  '"': '\\"',
  '\\': '\\\\',
};

/** `%q` of a string. */
export function goQuoted(text: string): string {
  const escaped = text.replace(/["\\]|\p{C}|(?! )\p{Z}/gu, (character) => {
    const short = SHORT[character];
    if (short !== undefined) return short;
    const code = character.codePointAt(0) as number;
    if (code < 0x80) return `\\x${code.toString(16).padStart(2, '0')}`;
    return code < 0x10000
      ? `\\u${code.toString(16).padStart(4, '0')}`
      : `\\U${code.toString(16).padStart(8, '0')}`;
  });
  return `"${escaped}"`;
}

/** `%q` of a list of strings. */
export function goQuotedList(texts: readonly string[]): string {
  return `[${texts.map(goQuoted).join(' ')}]`;
}

/** `%v` of a list of strings. */
export function goList(texts: readonly string[]): string {
  return `[${texts.join(' ')}]`;
}

/** `%v` of a time.Duration: `1m30s`, `1.5s`, `250ms`. */
export function goDuration(nanoseconds: number): string {
  if (nanoseconds === 0) return '0s';
  const absolute = Math.abs(nanoseconds);
  const sign = nanoseconds < 0 ? '-' : '';
  if (absolute < 1e9) {
    const [unit, size] = absolute < 1e3 ? ['ns', 1] : absolute < 1e6 ? ['µs', 1e3] : ['ms', 1e6];
    return `${sign}${decimal(absolute, size)}${unit}`;
  }
  const seconds = absolute % 60e9;
  const minutes = Math.trunc(absolute / 60e9);
  const hours = Math.trunc(minutes / 60);
  const rest = `${decimal(seconds, 1e9)}s`;
  if (minutes === 0) return sign + rest;
  return `${sign}${hours > 0 ? `${hours}h` : ''}${minutes % 60}m${rest}`;
}

/** `count / size` in decimal, exactly. */
function decimal(count: number, size: number): string {
  const digits = Math.round(Math.log10(size));
  const fraction = String(count % size)
    .padStart(digits, '0')
    .replace(/0+$/, '');
  const whole = String(Math.trunc(count / size));
  return digits === 0 || fraction === '' ? whole : `${whole}.${fraction}`;
}
