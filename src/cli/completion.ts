// Completion scripts for bash, zsh and fish, from the declarations of the commands.

import type { Flag } from '../frontends/flag.ts';
import type { CommandNode } from './tree.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;

export type Shell = (typeof SHELLS)[number];

/** The script of `shell` for these commands. */
export function completionScript(shell: Shell, nodes: readonly CommandNode[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(nodes);
    case 'zsh':
      return zshScript(nodes);
    case 'fish':
      return fishScript(nodes);
  }
}

/** `--memory -m` for all flags. */
function spellings(flags: readonly Flag[]): string[] {
  return flags.flatMap(({ name, short }) =>
    short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`],
  );
}

function caseLabel(node: CommandNode): string {
  return `'${node.name}'`;
}

function bashScript(nodes: readonly CommandNode[]): string {
  const words = nodes.map((node) => {
    const below = node.below.map(({ word }) => word);
    const own = Array.isArray(node.command?.completes) ? node.command.completes : [];
    return `    ${caseLabel(node)}) words='${[...below, ...own].join(' ')}'; flags='${spellings(node.flags).join(' ')}' ;;`;
  });
  const takers = nodes.map(
    (node) =>
      `    ${caseLabel(node)}) takes=' ${spellings(node.flags.filter(({ type }) => type !== 'boolean')).join(' ')} ' ;;`,
  );
  return `# bash completion of caisson. Load it with: source <(caisson completion bash)

_caisson_flags() {
  case "$1" in
${words.join('\n')}
    *) words=''; flags='' ;;
  esac
}

_caisson_takes() {
  case "$1" in
${takers.join('\n')}
    *) takes=' ' ;;
  esac
}

_caisson_values() {
  case "$1 $2" in
${bashValues(nodes).join('\n')}
    *) mode=files ;;
  esac
}

_caisson() {
  local current=\${COMP_WORDS[COMP_CWORD]} node='' at=1 word words flags takes mode values
  COMPREPLY=()
  while ((at < COMP_CWORD)); do
    word=\${COMP_WORDS[at]}
    _caisson_takes "$node"
    if [[ $word == -* ]]; then
      if [[ $takes == *" $word "* ]]; then
        at=$((at + 1))
        if ((at == COMP_CWORD)); then
          mode=files values=''
          _caisson_values "$node" "$word"
          case $mode in
            words) COMPREPLY=($(compgen -W "$values" -- "$current")) ;;
            directories) COMPREPLY=($(compgen -d -- "$current")) ;;
            *) COMPREPLY=($(compgen -f -- "$current")) ;;
          esac
          return
        fi
      fi
    else
      _caisson_flags "$node"
      if [[ " $words " == *" $word "* ]]; then node="\${node:+$node }$word"; else break; fi
    fi
    at=$((at + 1))
  done
  _caisson_flags "$node"
  if ((at < COMP_CWORD)); then
    COMPREPLY=($(compgen -f -- "$current"))
  elif [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$current"))
  elif [[ -n $words ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}

complete -o filenames -F _caisson caisson
`;
}

function bashValues(nodes: readonly CommandNode[]): string[] {
  return nodes.flatMap((node) =>
    node.flags
      .filter((flag) => flag.completes !== undefined)
      .flatMap((flag) => {
        const labels = spellings([flag]).map((each) => `'${node.name} ${each}'`);
        const mode =
          flag.completes === 'directory'
            ? 'mode=directories'
            : flag.completes === 'file'
              ? 'mode=files'
              : `mode=words values='${(flag.completes as readonly string[]).join(' ')}'`;
        return [`    ${labels.join('|')}) ${mode} ;;`];
      }),
  );
}

/** A text inside single quotes of a shell. */
function quote(text: string): string {
  return text.replaceAll("'", "'\\''");
}

function zshScript(nodes: readonly CommandNode[]): string {
  const functions = nodes.map((node) => {
    const specs = node.flags.flatMap(zshFlag).map((spec) => `    '${quote(spec)}'`);
    const rest =
      node.below.length > 0
        ? [
            `    '1:command:((${node.below.map(({ word, summary }) => `${word}\\:"${quote(zshText(summary))}"`).join(' ')}))'`,
            "    '*::argument:->below'",
          ]
        : [`    '*:argument:${zshWords(node.command?.completes)}'`];
    const stop = node.command?.stopsAtPositional === true || node.below.length > 0 ? ' -A "-*"' : '';
    const dispatch =
      node.below.length === 0
        ? ''
        : `\n  case $state in\n    below) (( $+functions[${zshName(node)}_$words[1]] )) && ${zshName(node)}_$words[1] ;;\n  esac`;
    return `${zshName(node)}() {\n  local state line\n  _arguments -s -S -C${stop} \\\n${[...specs, ...rest].join(' \\\n')}${dispatch}\n}`;
  });
  return `#compdef caisson\n\n${functions.join('\n\n')}\n\n_caisson "$@"\n`;
}

function zshName({ name }: CommandNode): string {
  return name === '' ? '_caisson' : `_caisson_${name.replaceAll(' ', '_')}`;
}

function zshFlag(flag: Flag): string[] {
  const repeat = flag.type === 'list' ? '*' : '';
  const takes = flag.type === 'boolean' ? '' : `:${flag.takes ?? 'value'}:${zshWords(flag.completes)}`;
  const equals = flag.type === 'boolean' ? '' : '=';
  const text = `[${zshText(flag.help)}]${takes}`;
  const long = `${repeat}--${flag.name}${equals}${text}`;
  return flag.short === undefined
    ? [long]
    : [long, `${repeat}-${flag.short}${flag.type === 'boolean' ? '' : '+'}${text}`];
}

function zshText(text: string): string {
  return text.replace(/[[\]:]/g, (char) => `\\${char}`);
}

function zshWords(completes: Flag['completes']): string {
  if (completes === 'directory') return '_files -/';
  return completes === undefined || completes === 'file' ? '_files' : `(${completes.join(' ')})`;
}

function fishScript(nodes: readonly CommandNode[]): string {
  const lines = nodes.flatMap((node) => {
    const condition = fishCondition(node, nodes);
    const below = node.below.map(
      ({ word, summary }) =>
        `complete -c caisson -f -n '${condition}' -a '${word}' -d '${fishQuote(summary)}'`,
    );
    const own = Array.isArray(node.command?.completes)
      ? [`complete -c caisson -n '${condition}' -a '${node.command.completes.join(' ')}'`]
      : [];
    return [...below, ...own, ...node.flags.map((flag) => fishFlag(flag, condition))];
  });
  return `# fish completion of caisson\n\n${lines.join('\n')}\n`;
}

function fishCondition(node: CommandNode, nodes: readonly CommandNode[]): string {
  if (node.name === '') return '__fish_use_subcommand';
  const [group, word] = node.name.split(' ');
  if (word !== undefined)
    return `__fish_seen_subcommand_from ${group}; and __fish_seen_subcommand_from ${word}`;
  const own = nodes.find(({ name }) => name === node.name)?.below.map((each) => each.word) ?? [];
  const seen = `__fish_seen_subcommand_from ${node.name}`;
  return own.length === 0 ? seen : `${seen}; and not __fish_seen_subcommand_from ${own.join(' ')}`;
}

function fishFlag(flag: Flag, condition: string): string {
  const parts = ['complete -c caisson', `-n '${condition}'`, `-l ${flag.name}`];
  if (flag.short !== undefined) parts.push(`-s ${flag.short}`);
  if (flag.type !== 'boolean')
    parts.push(Array.isArray(flag.completes) ? `-x -a '${flag.completes.join(' ')}'` : '-r');
  parts.push(`-d '${fishQuote(flag.help)}'`);
  return parts.join(' ');
}

/** fish knows two escapes inside single quotes. */
function fishQuote(text: string): string {
  return text.replace(/[\\']/g, (char) => `\\${char}`);
}
