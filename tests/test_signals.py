"""Runs that are cut short: Ctrl-C, SIGTERM, kill -9, a reader that went away. Real processes throughout."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lptn_cli.atomic import _machine
from lptn_cli.preset import Preset
from lptn_cli.signals import SIGNALS, Stop, drain_on_signals
from tests.command import LPTN, contents, environment, load, save, spawn
from tests.conftest import photo

PHOTOS = 30
SIZE = (400, 600)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many photos of the same bytes, as only the time that they take matters."""
    folder = tmp_path_factory.mktemp("many")
    data = save(folder / "00.jpg", photo(*SIZE)).read_bytes()
    for n in range(1, PHOTOS):
        (folder / f"{n:02d}.jpg").write_bytes(data)
    return folder


@contextmanager
def started(source: Path, out: Path, preset: Preset, *words: str) -> Iterator[Any]:
    """A run that prints what it has written, in a process that ends with the block."""
    command = [LPTN, "retouch", str(source), "-o", str(out), "-p", str(preset.path), "--print", *words]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "bufsize": 0, "env": environment()}
    process = subprocess.Popen(command, **pipes)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def parts(out: Path) -> list[Path]:
    return list(out.rglob(".lptn-*.part"))


def outputs(out: Path) -> dict[str, tuple[bytes, int]]:
    """name -> (bytes, mtime) of all but hidden files."""
    return {name: what for name, what in contents(out).items() if not name.startswith(".")}


def assert_all_whole(out: Path) -> None:
    for name in outputs(out):
        assert load(out / name).pixels.shape == (*SIZE, 3), name


def assert_the_rest_is_done_by_another_run(source: Path, out: Path, preset: Preset) -> None:
    before = outputs(out)
    again = spawn("retouch", source, "-o", out, "-p", preset.path, "--json")
    assert again.code == 0
    assert list(again.photos().values()).count("up-to-date") == len(before)
    after = outputs(out)
    assert len(after) == PHOTOS and parts(out) == []
    assert {name: after[name] for name in before} == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_finishes_the_photos_in_work(
    number: signal.Signals, source: Path, tmp_path: Path, preset: Preset
) -> None:
    out = tmp_path / "out"
    with started(source, out, preset, "-j", "2") as process:
        first = process.stdout.readline()
        process.send_signal(number)
        rest, told = process.communicate(timeout=30)
        assert process.returncode == 128 + number
    listed = {Path(line.decode()).name for line in (first + rest).splitlines()}
    assert 1 <= len(listed) < PHOTOS
    assert listed == outputs(out).keys() and parts(out) == []
    notice, summary = (line for line in told.decode().splitlines() if line)
    assert notice == "lptn: finishing the photos in work; once more stops at once"
    written = len(listed)
    assert summary.startswith(f"lptn: {written} written, {PHOTOS - written} not started in ")
    assert_all_whole(out)
    if number == signal.SIGINT:
        assert_the_rest_is_done_by_another_run(source, out, preset)


def test_a_second_signal_stops_at_once(tmp_path: Path, preset: Preset) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    save(source / "a.jpg", photo(40, 60))
    save(source / "b.jpg", np.tile(photo(300, 400), (10, 10, 1)))
    with started(source, out, preset, "-j", "1") as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        while b"once more" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == -signal.SIGINT  # a shell says 130
    assert outputs(out).keys() == {"a.jpg"}


def test_kill_9_leaves_nothing_that_the_next_run_does_not_mend(
    source: Path, tmp_path: Path, preset: Preset
) -> None:
    out = tmp_path / "out"
    with started(source, out, preset, "-j", "2") as process:
        process.stdout.readline()
        process.kill()
        process.wait(timeout=10)
    assert_all_whole(out)
    # what an end in the middle of a write leaves, should this one have missed it
    (out / f".lptn-{_machine()}-{process.pid}-0123456789abcdef.part").write_bytes(b"half a photo")
    with (out / ".lptn-manifest.jsonl").open("ab") as manifest:
        manifest.write(b'{"output":"03.jpg","output_si')
    before = outputs(out)
    again = spawn("retouch", source, "-o", out, "-p", preset.path, "--overwrite")
    after = outputs(out)
    assert again.code == 0 and len(after) == PHOTOS and parts(out) == []
    assert_all_whole(out)
    # at most those two are done again that were written, and not yet noted when the end came
    assert len([name for name in before if after[name] != before[name]]) <= 2


def test_141_the_reader_of_a_listing_went_away(source: Path, tmp_path: Path, preset: Preset) -> None:
    out = tmp_path / "out"
    with started(source, out, preset, "-j", "2") as process:
        process.stdout.readline()
        process.stdout.close()
        told = process.stderr.read().decode()
        assert process.wait(timeout=30) == 141
    assert told.startswith("lptn: ") and " not started in " in told and told.count("\n") == 1
    assert 1 <= len(outputs(out)) < PHOTOS and parts(out) == []
    assert_all_whole(out)


def with_closed_pipe(*words: str, stream: str) -> int:
    """The exit code of `lptn` whose stdout or stderr has a reader that went away."""
    reader, writer = os.pipe()
    os.close(reader)
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} | {stream: writer}
    try:
        return subprocess.run([LPTN, *words], timeout=30, env=environment(), **pipes).returncode  # type: ignore[call-overload,no-any-return]
    finally:
        os.close(writer)


def test_141_the_reader_of_help_or_a_plan_went_away(source: Path, tmp_path: Path, preset: Preset) -> None:
    for words in (["--help"], ["--version"], ["retouch", str(source), "-n", "-p", str(preset.path)]):
        assert with_closed_pipe(*words, stream="stdout") == 141


def test_a_reader_of_stderr_that_went_away_ends_no_run(source: Path, tmp_path: Path, preset: Preset) -> None:
    out = tmp_path / "out"
    words = ["retouch", str(source), "-o", str(out), "-p", str(preset.path), "-v", "--limit", "3"]
    assert with_closed_pipe(*words, stream="stderr") == 0
    assert len(outputs(out)) == 3


def test_ctrl_c_that_ends_the_reader_of_stderr_too(source: Path, tmp_path: Path, preset: Preset) -> None:
    """`lptn retouch ... 2>&1 | tee log`, and Ctrl-C goes to both."""
    out = tmp_path / "out"
    with started(source, out, preset, "-j", "2") as process:
        process.stdout.readline()
        process.stderr.close()
        process.send_signal(signal.SIGINT)
        process.stdout.read()
        assert process.wait(timeout=30) == 130
    assert parts(out) == []
    assert_all_whole(out)


def test_ctrl_c_while_it_waits_for_stdin(preset: Preset) -> None:
    command = [LPTN, "retouch", "-", "-o", "-", "-p", str(preset.path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1) as process:
        assert process.stdin is not None
        process.stdin.write(bytes(1 << 20))  # more than a pipe holds: now it is reading
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=10)
    assert process.returncode == 130 and told == (b"", b"")


def test_what_nohup_started_goes_on_when_the_terminal_is_closed(
    source: Path, tmp_path: Path, preset: Preset
) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does; children inherit it
    try:
        with started(source, tmp_path / "out", preset) as process:
            process.stdout.readline()
            process.send_signal(signal.SIGHUP)
            assert process.wait(timeout=30) == 0
    finally:
        signal.signal(signal.SIGHUP, before)
    assert len(outputs(tmp_path / "out")) == PHOTOS


def test_the_handlers_are_put_back(capfd: pytest.CaptureFixture[str]) -> None:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    with drain_on_signals("tidying up") as stop:
        assert not stop.asked and isinstance(stop, Stop)
        os.kill(os.getpid(), signal.SIGTERM)
        assert (stop.asked, stop.signal) == (True, signal.SIGTERM)
        assert signal.getsignal(signal.SIGINT) == signal.SIG_DFL
    assert {number: signal.getsignal(number) for number in before} == before
    assert capfd.readouterr().err == "\nlptn: tidying up; once more stops at once\n"


SWALLOWS = """
import signal
try:
    signal.raise_signal(signal.SIGINT)
except BaseException:  # as C++ does that imports NumPy
    pass
print("went on")
"""


@pytest.mark.parametrize(("how", "code"), [("import swallows", 130), ("exec(open('swallows.py').read())", 0)])
def test_ctrl_c_while_modules_load_ends_at_once(how: str, code: int, tmp_path: Path) -> None:
    """Whoever imports may swallow the exit: torch does."""
    (tmp_path / "swallows.py").write_text(SWALLOWS)
    start = "import signal; from lptn_cli.cli import _leave; signal.signal(signal.SIGINT, _leave); "
    command = [sys.executable, "-c", start + how]
    done = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, check=False, env=environment()
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "went on\n" if code == 0 else "", "")


@pytest.mark.parametrize(
    "entry",
    ["lptn_cli.__main__ as it; it.main()", "runpy; runpy.run_module('lptn_cli', run_name='__main__')"],
)
def test_ctrl_c_while_the_command_itself_loads_ends_without_a_word(entry: str) -> None:
    code = f"""
import signal, sys
class Impatient:
    def find_spec(self, name, *_):
        if name == "lptn_cli.cli":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Impatient())
import {entry}
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "")


def test_a_signal_that_the_shell_has_ignored_stays_ignored() -> None:
    """As of jobs in the background of a script: Ctrl-C is meant for the script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with drain_on_signals("finishing") as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.asked
        assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
