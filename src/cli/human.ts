// Sizes and times as docker prints them (github.com/docker/go-units).

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `4.26MB`, `0B`: decimal units, at most `precision` significant digits. */
export function humanSize(bytes: number, precision = 4): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${Number(size.toPrecision(precision))}${UNITS[unit]}`;
}

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** `4.06MiB`: binary units, at most four significant digits. */
export function binarySize(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < BINARY.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${Number(size.toPrecision(4))}${BINARY[unit]}`;
}

const SECONDS = { minute: 60, hour: 3600, day: 86_400 };

/** `3 days`, `About an hour`; of seconds. */
export function humanDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 1) return 'Less than a second';
  if (whole === 1) return '1 second';
  if (whole < SECONDS.minute) return `${whole} seconds`;
  const minutes = Math.floor(whole / SECONDS.minute);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(whole / SECONDS.hour);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(hours / 24 / 365)} years`;
}

/** `3 days ago`; `N/A` for what is no time. `now` and the result of Date.parse are milliseconds. */
export function humanSince(time: string | undefined, now: number): string {
  const then = time === undefined ? Number.NaN : Date.parse(time);
  return Number.isNaN(then) ? 'N/A' : `${humanDuration((now - then) / 1000)} ago`;
}

/** `2024-01-02 03:04:05 +0000 UTC`, as Go prints a time; `N/A` for what is none. */
export function goTime(time: string | undefined): string {
  const then = time === undefined ? Number.NaN : Date.parse(time);
  if (Number.isNaN(then)) return 'N/A';
  return `${new Date(then).toISOString().replace('T', ' ').slice(0, 19)} +0000 UTC`;
}
