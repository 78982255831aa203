"""`shardsmith completion SHELL`: what the shell offers after Tab, made of the commands' own options."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator

from shardsmith.cli.parser import Commands, add_command

_BASH = """\
# shardsmith completion bash: put `eval "$(shardsmith completion bash)"` into ~/.bashrc
_shardsmith() {
    local words before="${COMP_WORDS[COMP_CWORD-1]}"
    case "${COMP_WORDS[1]}" in
%s
    *) words="" ;;
    esac
    [ "$COMP_CWORD" = 1 ] && words="%s"
    case "${COMP_WORDS[1]} $before" in
%s
    esac
    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _shardsmith shardsmith
"""
_FISH = "# shardsmith completion fish: shardsmith completion fish > ~/.config/fish/completions/shardsmith.fish\n"


def add(commands: Commands, make_parser: Callable[[], argparse.ArgumentParser]) -> None:
    command = add_command(
        commands, "completion", lambda options: _print(make_parser(), options.shell),
        "print what completes commands and options in a shell",
        'completion bash      eval "$(shardsmith completion bash)" in ~/.bashrc',
        "completion fish > ~/.config/fish/completions/shardsmith.fish",
    )  # fmt: skip
    command.add_argument("shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish")


def _print(parser: argparse.ArgumentParser, shell: str) -> int:
    commands: argparse._SubParsersAction = next(
        action for action in parser._actions if isinstance(action, argparse._SubParsersAction)
    )
    text = _fish(commands) if shell == "fish" else _bash(commands.choices)
    print(("autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else "") + text, end="")
    return 0


def _bash(commands: dict[str, argparse.ArgumentParser]) -> str:
    words = [
        f'    {name}) words="{" ".join(word for option in _options(command) for word in option.option_strings)}" ;;'
        for name, command in commands.items()
    ]
    values = [
        f'    "{name} {word}") words="{" ".join(map(str, option.choices or ()))}" ;;'
        for name, command in commands.items()
        for option in _options(command)
        if option.choices
        for word in option.option_strings or (name,)
    ]
    return _BASH % ("\n".join(words), " ".join([*commands, "--version", "--help"]), "\n".join(values))


def _fish(commands: argparse._SubParsersAction) -> str:
    lines = ["complete -c shardsmith -n __fish_use_subcommand -l version", "complete -c shardsmith -s h -l help"]
    for listed in commands._choices_actions:
        said = f"-a {listed.dest} -d {json.dumps(listed.help)}"
        lines.append(f"complete -c shardsmith -f -n __fish_use_subcommand {said}")
        for option in _options(commands.choices[listed.dest]):
            names = [f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}" for word in option.option_strings]
            choices = f" -x -a '{' '.join(map(str, option.choices))}'" if option.choices else ""
            help_text = json.dumps(option.help or "").replace("$", "\\$")
            seen = f"'__fish_seen_subcommand_from {listed.dest}'"
            lines.append(f"complete -c shardsmith -n {seen} {' '.join(names)}{choices} -d {help_text}")
    return _FISH + "\n".join(lines) + "\n"


def _options(command: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Options, and arguments that are one of a few words."""
    for action in command._actions:
        if (action.option_strings and action.dest != "help") or action.choices:
            yield action
