// One line of comma-separated values as encoding/csv reads it (RFC 4180): fields, quoted where they hold commas.

/** The fields of a line. Throws Error for a quote where none may be. */
export function csvFields(line: string): string[] {
  const fields: string[] = [];
  for (let at = 0; at <= line.length; ) {
    const { field, end } = line.charAt(at) === '"' ? quotedField(line, at) : plainField(line, at);
    fields.push(field);
    at = end + 1;
  }
  return fields;
}

function plainField(line: string, start: number): { field: string; end: number } {
  const comma = line.indexOf(',', start);
  const end = comma < 0 ? line.length : comma;
  const field = line.slice(start, end);
  if (field.includes('"')) throw new Error(`bare " in ${field}`);
  return { field, end };
}

function quotedField(line: string, start: number): { field: string; end: number } {
  let field = '';
  for (let at = start + 1; at < line.length; at++) {
    const character = line.charAt(at);
    if (character !== '"') field += character;
    else if (line.charAt(at + 1) === '"') field += line.charAt(at++);
    else if (at + 1 === line.length || line.charAt(at + 1) === ',') return { field, end: at + 1 };
    else throw new Error(`extraneous " in ${line}`);
  }
  throw new Error(`missing " in ${line}`);
}
