"""lptn(1) says what --help says, is in step with it, and is what `man` can show."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from lptn_cli.manpage import EXAMPLES, escaped
from tests.command import run

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "man/lptn.1"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "60")  # the page must not depend on the terminal
    ran = run("--man")
    assert ran.code == 0
    return ran.stdout.decode("ascii")


def test_the_page_that_is_shipped_is_in_step_with_the_options(made: str) -> None:
    assert PAGE.read_text("ascii") == made, "an option has changed; run `make man`"


@pytest.mark.parametrize("command", ["retouch", "presets", "import", "train", "evaluate", "doctor", "bench"])
def test_every_option_of_help_is_in_the_page(
    command: str, made: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shown = run(command, "--help").stdout.decode()
    section = made.partition(f".SS lptn {command}")[2].partition(".SS ")[0].replace("\\-", "-")
    options = set(re.findall(r"(?<![\w-])--[a-z0-9-]+", shown)) - {"--help"}
    assert options and all(re.search(rf"^\.B .*{option}\b", section, re.M) for option in options)


@pytest.mark.skipif(shutil.which("groff") is None, reason="no groff here")
def test_groff_shows_it_without_a_warning() -> None:
    done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", PAGE], capture_output=True, check=True)
    assert done.stderr == b""
    text = re.sub(r"\x1b\[[0-9;]*m|.\x08", "", done.stdout.decode())
    assert "lptn retouch [OPTIONS] INPUT..." in text
    for example in EXAMPLES.values():
        assert example.splitlines()[0] in text


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="no mandoc here")
def test_mandoc_finds_no_fault() -> None:
    done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", PAGE], capture_output=True, check=False)
    faults = [
        line for line in done.stdout.splitlines() if b"missing date" not in line
    ]  # each release has one
    assert faults == []


def test_text_is_never_a_command_of_roff() -> None:
    assert escaped(".lptn'\n'B`\\n-") == "\\&.lptn\\(aq\n\\(aqB\\(ga\\en\\-"


def test_the_wheel_has_the_page() -> None:
    """`man` looks in share/man beside the bin/ that is on the PATH."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    shared = project["tool"]["hatch"]["build"]["targets"]["wheel"]["shared-data"]
    assert shared == {PAGE.relative_to(ROOT).as_posix(): "share/man/man1/lptn.1"}
