// Commands that insist on a terminal: script(1) gives them one.

/**
 * The command in a new terminal, with the exit status of the command. Its input are lines that are typed.
 */
export function inTerminal(command: readonly string[]): string[] {
  const words = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  return [
    'script',
    '--quiet',
    '--return',
    '--command',
    `stty rows 33 columns 111; exec ${words}`,
    '/dev/null',
  ];
}

/** What such a terminal showed, with plain line breaks and without the sign for the end of the typed input. */
export function shown(output: string): string {
  return output.replaceAll('^@', '').replaceAll(/\r+\n/g, '\n');
}
