"""Completion in bash, zsh and fish: installed by `lptn --install-completion`, asked in the shell itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from lptn_cli.preset import Preset, folders
from tests.command import LPTN, environment

SHIPPED = sorted(path.stem for path in folders()[1].glob("*.toml"))
FORMATS = ["auto", "avif", "jpeg", "jpg", "png", "tif", "tiff", "webp"]

BASH = """
source ~/.bashrc
[[ $(complete -p lptn) =~ '-F '([a-z_]+) ]]
COMP_WORDS=($LINE) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
[[ $LINE == *' ' ]] && COMP_WORDS+=('') && COMP_CWORD=$((COMP_CWORD + 1))
${BASH_REMATCH[1]} lptn
printf '%s\\n' "${COMPREPLY[@]}"
"""
# Keys that complete the line, then print it instead of running it. Twice, as in a new shell the first TAB
# loads no more than Typer's function; with `eval "$(lptn --show-completion)"` in .zshrc it completes.
ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -i
for _ in 1 2; do
    zpty -w -n shell "$LINE"$'\t\C-aprint -r -- "LI""NE <\C-e>"\r'
    zpty -r shell shown '*LINE <*>*'
done
print -r -- "$shown"
"""
FISH = 'complete -C "$LINE"'


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(shell) is None, reason=f"no {shell} here")


class Shell:
    """A shell with a home of its own, in which the completion is installed and one preset is the user's."""

    def __init__(self, name: str, home: Path) -> None:
        self.name = name
        path = f"{Path(LPTN).parent}:/usr/local/bin:/usr/bin:/bin"
        self.env = environment(HOME=str(home), XDG_CONFIG_HOME=str(home / ".config"), PATH=path, TERM="dumb")

    def run(self, script: str, **variables: str) -> str:
        command, env = [self.name, "-c", script], self.env | variables
        done = subprocess.run(command, capture_output=True, text=True, env=env, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def home(tmp_path: Path, preset: Preset) -> Path:
    shutil.copytree(preset.path.parent, tmp_path / ".config/lptn/presets")
    (tmp_path / ".zshrc").write_text("PS1='> '\nunsetopt prompt_sp\n")
    return tmp_path


def installed(name: str, home: Path) -> Shell:
    shell = Shell(name, home)
    assert f"{name} completion installed in {home}" in shell.run("lptn --install-completion; true")
    return shell


LINES = {
    "lptn retouch -p ": sorted([*SHIPPED, "dusk"]),
    "lptn retouch photos -o out --preset du": ["dusk"],
    "lptn presets golden": ["golden-hour"],
    "lptn retouch --format ": FORMATS,
    "lptn retouch --keep": ["--keep-times"],
    "lptn pres": ["presets"],
    "lptn retouch photos/": [],  # files, which are the shell's
}


def test_bash(home: Path) -> None:
    shell = installed("bash", home)
    for line, names in LINES.items():
        assert sorted(shell.run(BASH, LINE=line).split()) == names, line


@needs("fish")
def test_fish(home: Path) -> None:
    shell = installed("fish", home)
    for line, names in LINES.items():
        said = [one.partition("\t")[0] for one in shell.run(FISH, LINE=line).splitlines()]
        assert sorted(filter(None, said)) == names, line


@needs("zsh")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("lptn retouch -p du", "lptn retouch -p dusk"),
        ("lptn retouch --format w", "lptn retouch --format webp"),
        ("lptn pres", "lptn presets"),
    ],
)
def test_zsh(line: str, completed: str, home: Path) -> None:
    assert f"LINE <{completed}" in installed("zsh", home).run(ZSH, LINE=line)


@pytest.mark.parametrize(
    "name", ["bash", pytest.param("zsh", marks=needs("zsh")), pytest.param("fish", marks=needs("fish"))]
)
def test_the_script_is_shown_and_the_shell_takes_it(name: str, home: Path) -> None:
    shell = Shell(name, home)
    script = shell.run("lptn --show-completion; true")
    assert "_LPTN_COMPLETE=complete_" + name in script
    (home / "script").write_text(script)
    assert shell.run(f"{name} -n {home}/script && echo fine") == "fine\n"


def test_the_answer_comes_without_what_is_heavy(home: Path) -> None:
    asked = {"_LPTN_COMPLETE": "complete_bash", "COMP_WORDS": "lptn retouch -p ", "COMP_CWORD": "3"}
    python = Path(LPTN).with_name("python")
    done = subprocess.run(
        [python, "-X", "importtime", LPTN],
        env=environment(**asked),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == SHIPPED
    modules = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "typer" in modules and not modules & {"torch", "cv2", "numpy", "safetensors", "PIL", "numba"}
