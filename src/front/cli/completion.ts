/**
 * Shell completion, generated from the command tree. The scripts are static: completing a word starts no process and asks no
 * server.
 */
import { Argument, type Command } from 'commander';
import type { CliWorld } from './world.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Word {
  readonly word: string;
  readonly description: string;
}

/** One place in the tree: the words that lead there and what may come next. */
export interface Place {
  readonly path: readonly string[];
  readonly commands: readonly Word[];
  readonly options: readonly Word[];
}

export function addCompletionCommand(program: Command, world: CliWorld): void {
  program
    .command('completion')
    .description('Prints the completion script of a shell.')
    .addArgument(new Argument('<shell>', 'the shell').choices(SHELLS))
    .addHelpText(
      'after',
      '\nExamples:\n  twinlease completion bash > /etc/bash_completion.d/twinlease\n  twinlease completion zsh > ~/.zfunc/_twinlease\n  twinlease completion fish > ~/.config/fish/completions/twinlease.fish\n',
    )
    .action((shell: Shell) => world.stdout.write(completionScript(program, shell)));
}

export function completionScript(program: Command, shell: Shell): string {
  const places = placesOf(program, []);
  switch (shell) {
    case 'bash':
      return bashScript(places);
    case 'zsh':
      return zshScript(places);
    case 'fish':
      return fishScript(places);
    default:
      return shell satisfies never;
  }
}

export function placesOf(command: Command, path: readonly string[]): readonly Place[] {
  const help = command.createHelp();
  const commands = help.visibleCommands(command);
  const options = help
    .visibleOptions(command)
    .map((option) => ({ word: option.long ?? option.short ?? '', description: option.description }));
  const words = command.registeredArguments.flatMap(choicesOf);
  const here: Place = {
    path,
    commands: [
      ...commands.map((inner) => ({ word: inner.name(), description: help.subcommandDescription(inner) })),
      ...words,
    ],
    options,
  };
  return [here, ...commands.flatMap((inner) => placesOf(inner, [...path, inner.name()]))];
}

function choicesOf(argument: Argument): readonly Word[] {
  return (argument.argChoices ?? []).map((word) => ({ word, description: '' }));
}

const BANNER = '# Completion of twinlease; made by `twinlease completion`.';

function bashScript(places: readonly Place[]): string {
  return `${BANNER}
_twinlease() {
  local word path=() current="\${COMP_WORDS[COMP_CWORD]}" words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] && break
    path+=("$word")
  done
  while :; do
    case "\${path[*]}" in
${places.map((place) => `      ${quoted(place.path.join(' '))}) words=${quoted(wordsOf(place))}; break ;;\n`).join('')}      *) unset 'path[-1]' ;;
    esac
  done
  if [[ $current == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current" | grep -v '^-')
    ((\${#COMPREPLY[@]} == 0)) && compopt -o default 2>/dev/null
  fi
  return 0
}
complete -F _twinlease twinlease
`;
}

function wordsOf(place: Place): string {
  return [...place.commands, ...place.options].map(({ word }) => word).join(' ');
}

function zshScript(places: readonly Place[]): string {
  const row = (place: Place): string => {
    const described = (words: readonly Word[]): string =>
      words.map((word) => quoted(`${word.word}:${firstLine(word.description)}`)).join(' ');
    return `      ${quoted(place.path.join(' '))}) commands=(${described(place.commands)}); options=(${described(place.options)}); break ;;\n`;
  };
  return `#compdef twinlease
${BANNER}
_twinlease() {
  local word
  local -a taken commands options
  for word in "\${(@)words[2,CURRENT-1]}"; do
    [[ $word == -* ]] && break
    taken+=("$word")
  done
  while :; do
    case "\${taken[*]}" in
${places.map(row).join('')}      *) taken[-1]=() ;;
    esac
  done
  if [[ $PREFIX == -* ]]; then
    _describe option options
  elif (( \${#commands} )); then
    _describe command commands
  else
    _files
  fi
}
_twinlease "$@"
`;
}

function fishScript(places: readonly Place[]): string {
  const lines = places.flatMap((place) => {
    const condition = `-n ${quoted(`__twinlease_at ${place.path.join(' ')}`.trim())}`;
    const commands = place.commands.map(
      ({ word, description }) =>
        `complete -c twinlease ${condition} -f -a ${quoted(word)} -d ${quoted(firstLine(description))}`,
    );
    const options = place.options
      .filter(({ word }) => word.startsWith('--'))
      .map(
        ({ word, description }) =>
          `complete -c twinlease ${condition} -l ${quoted(word.slice(2))} -d ${quoted(firstLine(description))}`,
      );
    return [...commands, ...options];
  });
  return `${BANNER}
function __twinlease_at
  set -l taken
  for word in (commandline -opc)[2..-1]
    string match -q -- '-*' $word; and break
    set -a taken $word
  end
  test (count $argv) -le (count $taken); or return 1
  for index in (seq (count $argv))
    test "$argv[$index]" = "$taken[$index]"; or return 1
  end
  set -l next $taken[(math (count $argv) + 1)]
  not contains -- "$next" (__twinlease_commands $argv)
end
function __twinlease_commands
  switch "$argv"
${places
  .filter((place) => place.commands.length > 0)
  .map(
    (place) =>
      `    case ${quoted(place.path.join(' '))}\n      printf '%s\\n' ${place.commands.map(({ word }) => word).join(' ')}\n`,
  )
  .join('')}  end
end
${lines.join('\n')}
`;
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

/** In single quotes, which every one of the three shells reads alike when none is inside. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", '’').replaceAll('\\', '/')}'`;
}
