// Redaction: secrets that this process holds never show in a message, whoever wrote it (CVE-2019-13509).

/** Shorter ones would blot out ordinary words, and protect nobody. */
const SHORTEST = 4;

const MASK = '***';

/** What must not be shown: passwords, tokens, and what is made of them. */
export class Secrets {
  private readonly known = new Set<string>();

  /** Also its forms: percent-encoded, base64, and with a user name as Basic authentication has it. */
  add(secret: string, user?: string): void {
    if (secret.length < SHORTEST) return;
    for (const form of [secret, encodeURIComponent(secret), base64(secret)]) this.known.add(form);
    if (user !== undefined) this.known.add(base64(`${user}:${secret}`));
  }

  /** `text` with secrets masked; so is what looks like one: an Authorization value, user information of a URL. */
  redact(text: string): string {
    let out = text;
    // The longest first: one may be a part of another.
    for (const secret of [...this.known].sort((a, b) => b.length - a.length))
      out = out.replaceAll(secret, MASK);
    return out
      .replace(/\b(Bearer|Basic)\s+[A-Za-z0-9+/_.~=-]{8,}/gi, `$1 ${MASK}`)
      .replace(/(https?:\/\/)[^\s/@"']{1,1024}@/gi, `$1${MASK}@`)
      .replace(
        /\b((?:access_|refresh_|identity|id_)?token|password|secret|signature|X-Amz-[A-Za-z-]+|sig)=[^&\s"']+/gi,
        `$1=${MASK}`,
      );
  }
}

function base64(text: string): string {
  return Buffer.from(text, 'utf8').toString('base64');
}

/** Untrusted text as a part of one line: control characters out, cut at `length`. */
export function oneLine(text: string, length = 300): string {
  const line = text
    .slice(0, length * 8)
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+/g, ' ')
    .replace(/ +/g, ' ')
    .trim();
  return line.length > length ? `${line.slice(0, length - 3)}...` : line;
}
