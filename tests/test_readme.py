"""Every example of the README runs as it stands there, on made photos; only training is given less time.

A line without pipes or redirections runs in this process, any other in bash. What needs a network or another
folder (pip, make) is checked as far as that goes without.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from benchmarks import figures, tables
from lptn_cli import cli
from tests.command import LPTN, environment, run, save
from tests.conftest import photo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
SHELL = ("bash", "console", "sh", "shell")
ELSEWHERE = (
    "pip",
    "pipx",
    "uv",
    "git",
    "make",
    "cd",
    "python",
    "python3",
    "docker",
    "apt",
    "apt-get",
    "sudo",
    "brew",
)
A_MOMENT = "--minutes 0.01"


def lines(block: str) -> list[str]:
    """The commands of a block; where some have a prompt, the rest is what they print."""
    whole = [line.strip() for line in block.replace("\\\n", " ").splitlines()]
    prompted = [line.removeprefix("$ ") for line in whole if line.startswith("$ ")]
    return [line for line in prompted or whole if line and not line.startswith("#")]


def tokens(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    return list(lexer)


def is_plain(line: str) -> bool:
    """Whether it is one command and its words: no pipe, no redirection, nothing for a shell to expand."""
    return "$" not in line and not any(set(token) <= set("|<>&;()") for token in tokens(line))


COMMANDS = [line for kind, block in BLOCKS if kind in SHELL for line in lines(block)]
OURS = [line for line in COMMANDS if tokens(line)[0] not in ELSEWHERE]
INLINE = re.findall(r"`(lptn [a-z]+ [^`]+)`", README)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the examples name. They share it: one uses what another has made."""
    place = tmp_path_factory.mktemp("readme")
    save(place / "holiday.jpg", photo(48, 64, seed=1))
    for n, name in enumerate(["a.jpg", "b/c.jpg", "drafts/d.jpg"]):
        save(place / "photos" / name, photo(48, 64, seed=n))
    save(place / "scans/s.png", photo(48, 64, "uint16", seed=9))
    (place / "last-run").touch()
    os.utime(place / "last-run", (0, 0))
    for n in range(9):
        picture = photo(272, 272, seed=n)
        for folder in ("mine/input", "plain"):
            save(place / folder / f"{n}.jpg", picture)
        for folder in ("mine/target", "dusks-i-love"):
            save(place / folder / f"{n}.jpg", picture // 2)
    return place


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_line_runs_as_it_stands(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "config"))
    env = environment(PATH=f"{Path(LPTN).parent}:/usr/local/bin:/usr/bin:/bin")
    assert len(OURS) >= 15
    for line in OURS:
        if "| jq " in line and shutil.which("jq") is None:
            continue
        shortened = re.sub(r"--minutes [\d.]+", A_MOMENT, line)
        if is_plain(line) and line.startswith("lptn "):
            ran = run(*tokens(shortened)[1:])
            assert ran.code == 0, f"{line}\n{ran.stderr}"
        else:
            script = ["bash", "-e", "-o", "pipefail", "-c", shortened]
            done = subprocess.run(script, env=env, capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 0, f"{line}\n{done.stderr}"
        for output in re.findall(r" -o ([^\s-]\S*)", line):
            assert any(
                p.is_file() and p.stat().st_size for p in [place / output, *(place / output).rglob("[!.]*")]
            )


def test_what_is_run_elsewhere_is_there() -> None:
    """Targets of make, modules of ours, extras of pip: in every text that users read."""
    pages = [
        ROOT / "README.md",
        ROOT / "CONTRIBUTING.md",
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("presets/*.md"),
    ]
    text = "\n".join(page.read_text() for page in pages)
    targets = set(re.findall(r"`make ([a-z-]+)", text))
    modules = set(re.findall(r"python3? -m ((?:benchmarks|demo|lptn_cli|tests)\b[\w.]*)", text))
    extras = {one for found in re.findall(r"(?:lptn|\.)\[([\w,]+)\]", text) for one in found.split(",")}
    assert len(targets) >= 3 and len(modules) > 5 and len(extras) > 5
    makefile, project = (ROOT / "Makefile").read_text(), (ROOT / "pyproject.toml").read_text()
    assert {target for target in targets if f"\n{target}:" not in makefile} == set()
    assert {extra for extra in extras if f"\n{extra} = [" not in project} == set()
    places = {module: ROOT / module.removesuffix(".NAME").replace(".", "/") for module in modules}
    assert [
        name
        for name, place in places.items()
        if not place.with_suffix(".py").is_file() and not place.is_dir()
    ] == []


@pytest.mark.parametrize("line", INLINE)
def test_commands_in_the_text_parse(line: str) -> None:
    commands: Any = typer.main.get_command(cli.app)
    _, name, *words = tokens(line)
    commands.commands[name].make_context(
        name, [w for w in words if w != "--help"], resilient_parsing="--help" in words
    )


@pytest.mark.parametrize("code", [block for kind, block in BLOCKS if kind == "python"])
def test_python_runs_as_it_stands(code: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    names: dict[str, Any] = {"pixels": photo(48, 64)}
    exec(compile(code, "README.md", "exec"), names)
    if "result" in names:
        assert names["result"].shape == (48, 64, 3) and (names["result"] != names["pixels"]).any()


def test_every_option_in_the_text_is_one_of_ours() -> None:
    """`--compare` in a sentence is an option of some command."""
    commands: Any = typer.main.get_command(cli.app)
    parameters = [*commands.params, *(p for command in commands.commands.values() for p in command.params)]
    known = {option for parameter in parameters for option in parameter.opts} | {"--help"}
    assert set(re.findall(r"`(--[a-z0-9-]+)", README)) <= known


@pytest.mark.parametrize("link", re.findall(r"\]\(((?!http)[^)#]+)[^)]*\)", README))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).is_file()


@pytest.mark.parametrize(("path", "text"), [pytest.param(*it, id=it[0].name) for it in figures.written()])
def test_tables_tell_what_was_measured(path: Path, text: str) -> None:
    """`python -m benchmarks.figures` would change nothing."""
    assert path.read_text("utf-8") == text


def test_figures_are_rounded_once_and_every_row_is_filled() -> None:
    look = {"does its job": 0.605, "before": 0.045, "count": 38}  # 23 of 38; as three places tell it
    assert tables._share(look) == "61 %" and tables._share({**look, "count": 22}, "before") == "5 %"
    assert tables._rounded(0.575, 2) == "0.58" and tables._rounded(76.5) == "77"
    table = "| one, at 4K | 1 | 2 |\n| other | 3 | 4 |\n"
    assert tables.fill(table, {"one": ["5", ""]}) == "| one, at 4K | 5 | |\n| other | 3 | 4 |\n"
    for label in ("none", "o"):
        with pytest.raises(ValueError, match="not one row"):
            tables.fill(table, {label: ["5"]})
