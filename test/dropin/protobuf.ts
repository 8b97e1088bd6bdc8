// Protocol Buffers without a schema: fields by number (protobuf.dev, "Encoding"); only what the CRI needs.

/** A message: pairs of field number and value. A repeated field is several pairs; an empty message is `[]`. */
export type Message = readonly (readonly [number, Value])[];

/** Text and messages are length-delimited, the others varints. */
export type Value = string | number | boolean | Message;

function varint(value: bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return [...bytes, Number(rest)];
}

function delimited(field: number, content: Buffer): Buffer {
  return Buffer.concat([
    Buffer.from(varint(BigInt(field * 8 + 2))),
    Buffer.from(varint(BigInt(content.length))),
    content,
  ]);
}

/** The bytes of a message. */
export function encode(message: Message): Buffer {
  return Buffer.concat(
    message.map(([field, value]) => {
      if (typeof value === 'string') return delimited(field, Buffer.from(value));
      if (typeof value === 'object') return delimited(field, encode(value));
      return Buffer.from([...varint(BigInt(field * 8)), ...varint(BigInt(value))]);
    }),
  );
}

/** The pairs of a map<string, string>. */
export function map(field: number, entries: Readonly<Record<string, string>>): Message {
  return Object.entries(entries).map(([name, value]) => [
    field,
    [
      [1, name],
      [2, value],
    ],
  ]);
}

/** A message that was received. */
export class Received {
  private readonly fields = new Map<number, (bigint | Buffer)[]>();

  constructor(bytes: Buffer) {
    let position = 0;
    const number = (): bigint => {
      let value = 0n;
      for (let shift = 0n; ; shift += 7n) {
        const byte = bytes[position++];
        if (byte === undefined) throw new Error('a message ends within a number');
        value |= BigInt(byte & 127) << shift;
        if (byte < 128) return value;
      }
    };
    const content = (length: number): Buffer => {
      position += length;
      return bytes.subarray(position - length, position);
    };
    while (position < bytes.length) {
      const tag = Number(number());
      const values = this.fields.get(tag >> 3) ?? [];
      this.fields.set(tag >> 3, values);
      if ((tag & 7) === 0) values.push(number());
      else if ((tag & 7) === 2) values.push(content(Number(number())));
      else if ((tag & 7) === 1) values.push(content(8));
      else throw new Error(`field ${tag >> 3} has type ${tag & 7}`);
    }
  }

  /** The text of a field; '' when it is absent, as the encoding has it. */
  text(field: number): string {
    const value = this.fields.get(field)?.[0];
    return value instanceof Buffer ? value.toString() : '';
  }

  /** The number of a field; 0 when it is absent. */
  number(field: number): number {
    const value = this.fields.get(field)?.[0];
    return typeof value === 'bigint' ? Number(BigInt.asIntN(64, value)) : 0;
  }

  /** The messages of a repeated field. */
  messages(field: number): Received[] {
    return (this.fields.get(field) ?? []).flatMap((value) =>
      value instanceof Buffer ? [new Received(value)] : [],
    );
  }

  /** The message of a field; an empty one when it is absent. */
  message(field: number): Received {
    return this.messages(field)[0] ?? new Received(Buffer.alloc(0));
  }
}
