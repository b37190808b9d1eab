"""The manual page lptn(1), made of the command line itself: `lptn --man`.

Commands, options and their help are read from the tree of commands; what no option says (exit codes, files,
examples) stands below. man/lptn.1 is the result, committed, and part of the wheel; `make man` renews it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lptn_cli import __version__

DESCRIPTION = """\
lptn gives photos a look: one of those that come with it, or one of your own.
Folders are walked recursively. Every result is written to the same place below
the output folder, with the metadata, the colour profile and the bit depth of its
photo. A run that is repeated does only what is new or changed. Inputs are never
changed, results appear whole or not at all, and a file that lptn did not write is
replaced only with --overwrite.

Standard output is empty unless it is asked for: --print, --print0, --json, a dry
run's plan, or one image with -o -. Everything else is said on standard error, a
line for each failure and one for the whole."""

EXIT = {
    "0": "Every photo is written or up to date.",
    "1": "At least one photo failed; all others were done.",
    "2": "Wrong usage: a bad option, an unknown preset, two photos for one output, an input as output.",
    "3": "No photos in the inputs.",
    "4": "Cannot start: no such device, weights missing or damaged, output folder not writable.",
    "129, 130, 143": "Hang-up, Ctrl-C, SIGTERM: photos in work were finished. A second one stops at once.",
    "141": "Whoever read standard output went away.",
}
ENVIRONMENT = {
    "LPTN_PRESET": "The look where -p is not given.",
    "XDG_CONFIG_HOME": "Your presets are in lptn/presets below it; ~/.config where it is not set.",
    "RAY_ADDRESS": "The cluster that --ray without an address is meant for; else Ray is started here.",
    "NO_COLOR, TERM=dumb": "No colour; no progress bar.",
}
FILES = {
    "~/.config/lptn/presets/": "Your presets, NAME.toml and NAME.safetensors; they hide shipped ones.",
    "./lptn-out/PRESET/": "Where results go without -o.",
    ".lptn-manifest.jsonl": "In every output folder: what is finished, from what, and with which settings.",
    "./lptn-train/NAME/": "State, contact sheet and curves of a training run.",
}
EXAMPLES = {
    "A folder, and the same again for what is new:": "lptn retouch photos/ -o out/ -p day-to-night",
    "One photo, gently:": "lptn retouch holiday.jpg -o better.jpg --strength 0.6",
    "What would be written:": "lptn retouch photos/ -o out/ --dry-run",
    "Photos that find finds, whatever their names:": (
        "find photos -newer last-run -name '*.jpg' -print0 |\n    lptn retouch --files-from - -0 -o out/"
    ),
    "In a pipe:": "lptn retouch - -o - < holiday.jpg | display",
    "What failed:": (
        "lptn retouch photos/ -o out/ --json |\n    jq -r 'select(.status == \"failed\") | .input'"
    ),
    "Completion, for the shell you are in:": "lptn --install-completion",
}


def page(root: Any) -> str:
    """lptn(1) as man(7) roff, in ASCII. root: the Click group of all commands."""
    context = root.context_class(root, info_name="lptn")
    lines = [
        ".\\\" Made by `make man` (lptn --man); edit lptn_cli/manpage.py or the options' help.",
        f'.TH LPTN 1 "" "lptn {__version__}" "User Commands"',
        ".SH NAME",
        r"lptn \- " + escaped(root.help[0].lower() + root.help[1:].rstrip(".")),
        ".SH SYNOPSIS",
    ]
    synopsis = {name: usage(command) for name, command in root.commands.items()}
    for name, words in synopsis.items():
        lines += [".B " + escaped(f"lptn {name}"), escaped(words), ".br"]
    lines += [".B lptn", escaped("--version | --help")]
    lines += [".SH DESCRIPTION", escaped(DESCRIPTION).replace("\n\n", "\n.PP\n")]
    lines += [".SH OPTIONS", *options(root, context), ".SH COMMANDS"]
    for name, command in root.commands.items():
        below = command.context_class(command, info_name=name, parent=context)
        lines += [".SS " + escaped(f"lptn {name} {synopsis[name]}"), escaped(command.help)]
        lines += options(command, below)
    lines += [".SH EXIT STATUS", *terms(EXIT), ".SH ENVIRONMENT", *terms(ENVIRONMENT)]
    lines += [".SH FILES", *terms(FILES), ".SH EXAMPLES"]
    for said, example in EXAMPLES.items():
        lines += [".TP", escaped(said), ".EX", escaped(example), ".EE"]
    return "\n".join(lines) + "\n"


def usage(command: Any) -> str:
    """Its arguments, as `[OPTIONS] CHECKPOINT NAME`."""
    words = ["[OPTIONS]"]
    for argument in command.params:
        if argument.param_type_name == "argument":
            word = argument.metavar or argument.name.upper()
            optional = not argument.required and argument.default is None and "..." not in word
            words.append(f"[{word}]" if optional else word)
    return " ".join(words)


def options(command: Any, context: Any) -> Iterator[str]:
    """What --help says of each, under the headings of --help."""
    heading = ""
    for option in command.params:
        record = option.get_help_record(context)  # None: hidden
        if option.param_type_name != "option" or record is None:
            continue
        if (option.rich_help_panel or heading) != heading:
            heading = option.rich_help_panel
            yield from (".PP", ".B " + escaped(heading))
        yield from terms({record[0]: record[1].replace("  [", " [")})


def terms(said: dict[str, str]) -> Iterator[str]:
    for term, text in said.items():
        yield from (".TP", ".B " + escaped(term), escaped(text))


def escaped(text: str) -> str:
    """Text as roff: no character of it is a command, and `-` is the one that is typed."""
    text = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("`", r"\(ga")
    return "\n".join(rf"\&{line}" if line.startswith(".") else line for line in text.split("\n"))
