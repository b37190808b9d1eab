"""The contract of the command line: listings, exit codes and terminals."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.command import Retouch, contents, on_linux, run, save
from tests.conftest import make_preset, photo

# Listings


def test_stdout_is_empty_unless_asked_for(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    assert retouch(folder, "-o", out).stdout == b""
    verbose = retouch(folder, "-o", folder.parent / "again", "-v")
    assert verbose.stdout == b"" and len(verbose.stderr.splitlines()) == 4
    assert f"a.jpg -> {folder.parent}/again/a.jpg: written, decode" in verbose.stderr


def test_quiet_tells_failures_only(folder: Path, retouch: Retouch) -> None:
    assert retouch(folder, "-o", folder.parent / "out", "-q").stderr == ""
    (folder / "b.jpg").write_bytes(b"bad")
    ran = retouch(folder, "-o", folder.parent / "out", "-q")
    assert ran.code == 1 and "b.jpg: " in ran.error


@on_linux
def test_print_and_print0_give_names_byte_for_byte(tmp_path: Path, retouch: Retouch) -> None:
    names = [b"a.jpg", b"new\nline.jpg", b"\xff\xfe.jpg", "grün ✓.jpg".encode()]
    for name in names:
        save(tmp_path / "in" / os.fsdecode(name), photo(32, 32))
    out = os.fsencode(tmp_path / "out") + b"/"
    printed = retouch(tmp_path / "in", "-o", tmp_path / "out", "--print0")
    assert printed.code == 0
    assert sorted(printed.stdout.split(b"\0")) == sorted([b"", *(out + name for name in names)])
    assert retouch(tmp_path / "in", "-o", tmp_path / "out", "--print0").stdout == b""  # nothing was written
    shutil.rmtree(tmp_path / "out")
    lines = retouch(tmp_path / "in", "-o", tmp_path / "out", "--print", "--exclude", "new*").stdout
    assert sorted(lines.split(b"\n")) == sorted([b"", *(out + name for name in names if b"\n" not in name)])


@on_linux
def test_json_and_stderr_with_names_that_are_not_text(tmp_path: Path, retouch: Retouch) -> None:
    source = tmp_path / "in" / os.fsdecode(b"\xff\n.jpg")
    save(source, photo(32, 32))
    ran = retouch(tmp_path / "in", "-o", tmp_path / "out", "--json", "-v")
    assert os.fsencode(ran.events[1]["input"]) == os.fsencode(source)
    assert os.path.lexists(os.fsencode(ran.events[1]["output"]))
    assert r"\xff\n.jpg" in ran.stderr and len(ran.stderr.splitlines()) == 2


def test_a_dry_run_lists_the_plan_and_writes_nothing(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    plan = retouch(folder, "-o", out, "-n")
    assert plan.code == 0 and plan.stderr == "" and not out.exists()
    assert plan.stdout.decode().splitlines() == [
        f"write\t{folder}/{name}\t{out}/{name}" for name in ("a.jpg", "b.jpg", "sub/c.png")
    ]
    retouch(folder, "-o", out, "--include", "a.jpg")
    (out / "b.jpg").write_bytes(b"mine")
    (folder / "gone.jpg").symlink_to("nowhere")
    before = contents(out)
    states = [line.split("\t")[0] for line in retouch(folder, "-o", out, "-n").stdout.decode().splitlines()]
    assert states == ["up-to-date", "exists", "write", "unreadable"]  # a link comes last
    assert retouch(folder, "-o", out, "-n", "--print").stdout.decode() == f"{out}/sub/c.png\n"
    assert [e["status"] for e in retouch(folder, "-o", out, "-n", "--json").events] == states
    assert contents(out) == before


# Exit codes that are not in other tests


def test_3_no_photos(tmp_path: Path, retouch: Retouch) -> None:
    (tmp_path / "notes.txt").write_text("x")
    ran = retouch(tmp_path, "-o", tmp_path / "out")
    assert ran.code == 3 and str(tmp_path) in ran.error and not (tmp_path / "out").exists()


def test_4_weights_missing_or_damaged(folder: Path, tmp_path: Path) -> None:
    made = make_preset(tmp_path / "presets")
    weights = bytearray(made.weights.read_bytes())
    weights[-1] ^= 1
    made.weights.write_bytes(weights)
    ran = run("retouch", folder, "-o", tmp_path / "out", "-p", made.path)
    assert ran.code == 4 and str(made.weights) in ran.error and "damaged" in ran.error
    made.weights.unlink()
    ran = run("retouch", folder, "-o", tmp_path / "out", "-p", made.path)
    assert ran.code == 4 and str(made.weights) in ran.error


@pytest.mark.parametrize("output", ["blocked", "blocked/below"])
def test_4_the_output_folder_cannot_be(output: str, folder: Path, retouch: Retouch) -> None:
    (folder.parent / "blocked").write_text("a file")
    ran = retouch(folder, "-o", folder.parent / output)
    assert ran.code == 4 and "choose another folder with -o" in ran.error
    assert (folder.parent / "blocked").read_text() == "a file"


def test_4_the_folder_of_the_one_output_cannot_be(folder: Path, retouch: Retouch) -> None:
    (folder.parent / "blocked").write_text("a file")
    ran = retouch(folder / "a.jpg", "-o", folder.parent / "blocked/x.jpg", "--json")
    assert ran.code == 4 and "blocked: a file is in the way of its folder" in ran.error
    assert ran.stdout == b""  # before the look is loaded


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_4_the_output_folder_is_not_writable(folder: Path, retouch: Retouch) -> None:
    (folder.parent / "locked").mkdir(mode=0o500)
    ran = retouch(folder, "-o", folder.parent / "locked")
    assert ran.code == 4 and "permission denied" in ran.error


@pytest.mark.parametrize("device", ["cuda:7", "cpu,cuda:7", "gpu", "", "cuda:99999999999999999999"])
def test_4_the_device_is_not_there(device: str, folder: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", folder.parent / "out", "-d", device, "--json")
    assert (ran.code == 4 and "auto" in ran.error) or "lptn doctor" in ran.error
    assert ran.stdout == b""  # no start event for what did not start


def test_4_the_disk_of_stdout_is_full(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        ran = retouch(folder, "-o", out, "--print", "-j", "1", stdout=full)
    assert ran.code == 4 and "cannot write to stdout: the disk is full" in ran.error
    assert set(retouch(folder, "-o", out, "--json").photos().values()) <= {"up-to-date", "written"}


def test_fail_fast_and_max_errors(folder: Path, retouch: Retouch) -> None:
    for n in range(5):
        (folder / f"0{n}.jpg").write_bytes(b"bad")
    words = (folder, "-j", "1", "--json", "-o", folder.parent / "out")
    once = retouch(*words, "--fail-fast")
    assert once.code == 1 and once.photos() == {"00.jpg": "failed"}
    assert once.stderr.splitlines()[1].startswith("lptn: 0 written, 1 failed, 7 left in ")
    assert len(retouch(*words, "--max-errors", "3").photos()) == 3
    assert len(retouch(*words).photos()) == 8


# Terminals


@contextmanager
def terminal() -> Iterator[tuple[Any, Callable[[], str]]]:
    """A text stream that is a terminal, and what was written to it."""
    master, slave = os.openpty()
    with open(slave, "w", encoding="utf-8", buffering=1) as stream:  # noqa: PTH123
        shown = bytearray()

        def read() -> str:
            os.set_blocking(master, False)
            try:
                while part := os.read(master, 1 << 16):
                    shown.extend(part)
            except BlockingIOError:
                pass
            return shown.decode()

        yield stream, read
    os.close(master)


def test_the_bar_is_on_stderr_and_the_listing_arrives_whole(
    folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    (folder / "x:heart:.jpg").write_bytes(b"bad")
    with terminal() as (stream, shown):
        ran = retouch(folder, "-o", folder.parent / "out", "--print", stderr=stream)
        text = shown()
    assert "4/4" in text and "\x1b[" in text
    assert len(ran.stdout.splitlines()) == 3
    assert "x:heart:.jpg: this is not an image" in text
    assert text.rstrip().splitlines()[-1].endswith(f"-> {folder.parent}/out")


@pytest.mark.parametrize("words", ["--no-progress", "--quiet"])
def test_no_bar_where_none_is_wanted(
    words: str, folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    with terminal() as (stream, shown):
        retouch(folder, "-o", folder.parent / "out", words, stderr=stream)
        assert "\x1b" not in shown() and "/3" not in shown()


def test_no_color_is_obeyed(folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("NO_COLOR", "1")
    with terminal() as (stream, shown):
        retouch(folder, "-o", folder.parent / "out", stderr=stream)
        text = shown()
    assert "3/3" in text
    assert "\x1b[3" not in text and "\x1b[38" not in text  # colours; moving the cursor is no colour


def test_a_dumb_terminal_gets_plain_lines(
    folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with terminal() as (stream, shown):
        retouch(folder, "-o", folder.parent / "out", stderr=stream)
        text = shown()
    assert "\x1b" not in text and len(text.splitlines()) == 1 and "3 written" in text
