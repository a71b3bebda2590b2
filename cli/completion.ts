// Completion of commands and flags in a shell, made from the commands themselves.
import type { Command } from 'commander';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

interface Completed {
  readonly name: string;
  readonly description: string;
  readonly flags: readonly { readonly long: string; readonly description: string }[];
}

export function completionScript(program: Command, shell: Shell): string {
  const help = program.createHelp();
  const commands = help.visibleCommands(program).map((command) => ({
    name: command.name(),
    description: command.description(),
    flags: flagsOf(command),
  }));
  return { bash, zsh, fish }[shell](commands);
}

/** Its own, and those of the commands below it. */
function flagsOf(command: Command): Completed['flags'] {
  const help = command.createHelp();
  const options = [command, ...command.commands].flatMap((each) => help.visibleOptions(each));
  const flags = options.flatMap(({ long, description }) => (long ? [{ long, description }] : []));
  return flags.filter(({ long }, i) => flags.findIndex((flag) => flag.long === long) === i);
}

function bash(commands: readonly Completed[]): string {
  return `# invokectl completion bash: source this, or put it into /etc/bash_completion.d/invokectl
_invokectl() {
  local current=\${COMP_WORDS[COMP_CWORD]} words=
  if [ "$COMP_CWORD" -eq 1 ]; then
    words='${names(commands)}'
  else
    case \${COMP_WORDS[1]} in
${commands.map(({ name, flags }) => `      ${name}) words='${flags.map(({ long }) => long).join(' ')}' ;;`).join('\n')}
    esac
  fi
  case $COMP_CWORD:$current in
    1:*|*:-*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -F _invokectl invokectl
`;
}

function zsh(commands: readonly Completed[]): string {
  const described = commands.map(({ name, description }) => `    '${name}:${quoted(description)}'`);
  const cases = commands.map(
    ({ name, flags }) =>
      `    ${name}) _arguments ${flags.map((flag) => `'${flag.long}[${bracketed(flag.description)}]'`).join(' ')} '*:file:_files' ;;`,
  );
  return `#compdef invokectl
# invokectl completion zsh: put it as _invokectl into a folder of $fpath
_invokectl() {
  local -a commands=(
${described.join('\n')}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  case $words[2] in
${cases.join('\n')}
  esac
}
_invokectl "$@"
`;
}

function fish(commands: readonly Completed[]): string {
  const lines = commands.flatMap(({ name, description, flags }) => [
    `complete -c invokectl -n __fish_use_subcommand -f -a ${name} -d '${quoted(description)}'`,
    ...flags.map(
      (flag) =>
        `complete -c invokectl -n '__fish_seen_subcommand_from ${name}' -l ${flag.long.slice(2)} -d '${quoted(flag.description)}'`,
    ),
  ]);
  return `# invokectl completion fish: put it into ~/.config/fish/completions/invokectl.fish\n${lines.join('\n')}\n`;
}

function names(commands: readonly Completed[]): string {
  return commands.map(({ name }) => name).join(' ');
}

/** No quote of a description may end the quotes that it stands in. */
function quoted(text: string): string {
  return text.replaceAll("'", '’');
}

function bracketed(text: string): string {
  return quoted(text).replace(/[[\]:]/g, ' ');
}
