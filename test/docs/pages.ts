// The project's pages of Markdown, and the commands in them that tests run.
import { readdirSync, readFileSync } from 'node:fs';

const FOLDERS = ['.', 'docs', 'bench'];

/** The pages, relative to the repository, which tests run in. */
export function pages(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith('.md'))
      .map((name) => (folder === '.' ? name : `${folder}/${name}`)),
  );
}

/** Commands of a page marked `<!-- demo: NAME -->`, and the output that stands below them. */
export interface Demonstration {
  readonly name: string;
  readonly commands: string;
  readonly output: string;
}

export function demonstrations(page: string): Demonstration[] {
  const block = /<!-- demo: (\S+) -->\n\n```sh\n(.*?)```\n\n```text\n(.*?)```/gs;
  const found = [...readFileSync(page, 'utf8').matchAll(block)];
  return found.map(([, name = '', commands = '', output = '']) => ({ name, commands, output }));
}

/** A block of `$ command` lines with their output. */
export interface Transcript {
  readonly commands: readonly string[];
  readonly text: string;
  /** Lines of `...` stand for others that are left out. */
  readonly shortened: boolean;
}

/** The blocks as `sh` would have to print them; those whose output is different each time are not. */
export function transcripts(page: string): Transcript[] {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/```text\n(\$ .*?)```/gs)].map(
    ([, text = '']) => text,
  );
  return blocks
    .filter((text) => !text.includes('--trace'))
    .map((text) => ({
      commands: [...text.matchAll(/^\$ (.*)$/gm)].map(([, command = '']) => command),
      text,
      shortened: /^\.\.\.$/m.test(text),
    }));
}
