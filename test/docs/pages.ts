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

/** Each block of `$ command` lines with output, as `sh` would have to print it; those that leave lines out are not. */
export function transcripts(page: string): { readonly commands: readonly string[]; readonly text: string }[] {
  const blocks = [...readFileSync(page, 'utf8').matchAll(/```text\n(\$ .*?)```/gs)].map(
    ([, text = '']) => text,
  );
  return blocks
    .filter((text) => !/^\.\.\.$|--trace/m.test(text))
    .map((text) => ({
      commands: [...text.matchAll(/^\$ (.*)$/gm)].map(([, command = '']) => command),
      text,
    }));
}
