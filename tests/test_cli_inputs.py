"""The contract of the command line: the look, what is taken as input, and streams."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from lptn_cli import codecs
from lptn_cli.preset import Preset
from tests.command import LPTN, Ran, Retouch, environment, load, save, spawn, tree
from tests.conftest import photo

# Look


@pytest.mark.parametrize("words", ["-s 0", "--light 0 --color 0"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_strength_0_is_the_photo_itself(words: str, dtype: str, tmp_path: Path, retouch: Retouch) -> None:
    source = save(tmp_path / "a.png", photo(41, 57, dtype))
    assert retouch(source, "-o", tmp_path / "out", *words.split()).code == 0
    np.testing.assert_array_equal(load(tmp_path / "out/a.png").pixels, photo(41, 57, dtype))


def test_strengths_differ(tmp_path: Path, retouch: Retouch) -> None:
    source = save(tmp_path / "a.png", photo(41, 57))
    looks = {"": 1, "-s 1": 1, "-s 0.5": 2, "--light 0": 3, "--color 0": 4, "-s 1.5": 5}
    found: dict[int, bytes] = {}
    for words, look in looks.items():
        retouch(source, "-o", tmp_path / "o.png", "--overwrite", *words.split())
        pixels = load(tmp_path / "o.png").pixels.tobytes()
        assert found.setdefault(look, pixels) == pixels
    assert len(set(found.values())) == 5


@pytest.mark.parametrize("option", ["--strength", "--light", "--color"])
@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "1.6", "much", ""])
def test_a_strength_is_a_number_from_0_to_1_5(
    option: str, value: str, folder: Path, retouch: Retouch
) -> None:
    assert retouch(folder, option, value).code == 2


@pytest.mark.parametrize(
    "words",
    ["--quality 0", "--quality 101", "--depth 12", "--format gif", "--subsampling 411", "--metadata some",
     "--limit 0", "-j 0", "--max-errors 0", "--max-megapixels nan", "--max-megapixels inf",
     "--max-megapixels 0", "--frobnicate"],
)  # fmt: skip
def test_bad_values_are_usage_errors(words: str, folder: Path, tmp_path: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", tmp_path / "out", *words.split())
    assert ran.code == 2 and "Traceback" not in ran.stderr and ran.stdout == b""
    assert not (tmp_path / "out").exists()


# Input


def planned(ran: Ran) -> list[str]:
    """The names of the inputs that a dry run lists, in order."""
    assert ran.code == 0, ran.stderr
    return [Path(line.split("\t")[1]).name for line in ran.stdout.decode().splitlines()]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("", ["a.jpg", "b.jpg", "c.png"]),
        ("--limit 2", ["a.jpg", "b.jpg"]),
        ("--no-recursive", ["a.jpg", "b.jpg"]),
        ("--include *.png", ["c.png"]),
        ("--include sub/* --include b*", ["b.jpg", "c.png"]),
        ("--exclude sub", ["a.jpg", "b.jpg"]),
        ("--exclude *.jpg --exclude x", ["c.png"]),
    ],
)
def test_what_is_taken(words: str, names: list[str], folder: Path, retouch: Retouch) -> None:
    assert planned(retouch("-n", folder, "-o", folder.parent / "out", *words.split())) == names


def test_options_and_inputs_mix_in_any_order(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    mixed = retouch(folder / "b.jpg", "-o", out, folder / "sub", "-n", folder / "a.jpg", "-s", "1")
    assert planned(mixed) == ["b.jpg", "c.png", "a.jpg"]


def test_two_dashes_end_the_options(folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "a.jpg").rename("-n.jpg")
    assert planned(retouch("-n", "-o", "out", "--", "-n.jpg", "b.jpg")) == ["-n.jpg", "b.jpg"]
    assert retouch("-n", "-o", "out", "-n.jpg").code == 2


def test_a_file_named_on_the_command_line_is_always_tried(tmp_path: Path, retouch: Retouch) -> None:
    scan = save(tmp_path / "scan.dat", photo(40, 40), "jpeg")
    assert retouch(scan, "-o", tmp_path / "out").code == 0
    assert load(tmp_path / "out/scan.dat").format == "jpeg"
    missing = retouch(tmp_path / "gone.jpg", scan, "-o", tmp_path / "out")
    assert (
        missing.code == 1 and "gone.jpg: no such file" in missing.stderr and "1 up to date" in missing.stderr
    )


def test_the_output_folder_is_passed_over(folder: Path, retouch: Retouch) -> None:
    assert retouch(folder, "-o", folder / "done").code == 0
    again = retouch(folder, "-o", folder / "done", "--json")
    assert set(again.photos().values()) == {"up-to-date"} and len(again.photos()) == 3


def test_files_from(folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    Path("list").write_text("sub/c.png\na.jpg\n")
    words = ("-n", "-o", "out", "--files-from")
    from_file = retouch(*words, "list")
    assert planned(from_file) == ["c.png", "a.jpg"]
    assert b"out/sub/c.png" in from_file.stdout
    assert retouch(*words, "-", stdin=b"sub/c.png\na.jpg").stdout == from_file.stdout
    assert retouch(*words, "-", "-0", stdin=b"sub/c.png\0a.jpg\0").stdout == from_file.stdout
    assert planned(retouch(*words, "list", "b.jpg")) == ["b.jpg", "c.png", "a.jpg"]


def test_files_from_nothing(folder: Path, retouch: Retouch) -> None:
    missing = retouch("-o", folder / "out", "--files-from", folder / "nope")
    assert missing.code == 2 and "nope: no such file" in missing.error
    assert retouch("-o", folder / "out", "--files-from", "-", stdin=b"").code == 3
    assert retouch("-o", folder / "out", "-0", folder).code == 2


def test_without_inputs(retouch: Retouch) -> None:
    ran = retouch("-o", "out")
    assert ran.code == 2 and "for example: lptn retouch photos/" in ran.error


def test_max_megapixels_refuses_before_decoding(tmp_path: Path, retouch: Retouch) -> None:
    save(tmp_path / "in/a.jpg", photo(100, 100))
    ran = retouch(tmp_path / "in", "-o", tmp_path / "out", "--json", "--max-megapixels", "0.009")
    assert ran.code == 1 and ran.events[1]["error"] == "too-large"
    assert "--max-megapixels" in ran.events[1]["message"]


# stdin and stdout as images


def test_a_pipe_gives_the_image_and_nothing_else(folder: Path, preset: Preset) -> None:
    photo_bytes = (folder / "a.jpg").read_bytes()
    ran = spawn("retouch", "-", "-o", "-", "-p", preset.path, input=photo_bytes)
    assert ran.code == 0
    decoded = codecs.decode(ran.stdout)
    assert (decoded.format, decoded.pixels.shape) == ("jpeg", (40, 56, 3))
    assert ran.stdout.endswith(b"\xff\xd9")
    assert ran.error.startswith("lptn: 1 written")


def test_stdin_to_a_folder_or_file_and_files_to_stdout(folder: Path, retouch: Retouch) -> None:
    data, out = (folder / "a.jpg").read_bytes(), folder.parent / "out"
    assert retouch("-", "-o", out, stdin=data).code == 0
    assert retouch("-", "-o", out / "x.png", stdin=data).code == 0
    assert tree(out) == {"stdin.jpg", "x.png"} and load(out / "x.png").format == "png"
    assert sniffed(retouch(folder / "a.jpg", "-o", "-")) == "jpeg"
    assert sniffed(retouch(folder / "a.jpg", "-o", "-", "--format", "png")) == "png"


def sniffed(ran: Ran) -> str | None:
    assert ran.code == 0, ran.stderr
    return codecs.sniff(ran.stdout)


def test_a_bad_image_on_stdin_gives_an_empty_stdout(retouch: Retouch) -> None:
    ran = retouch("-", "-o", "-", stdin=b"hello")
    assert ran.code == 1 and ran.stdout == b"" and "lptn: -: " in ran.stderr


@pytest.mark.parametrize("words", ["- -o out", "--files-from -", "in/a.jpg -o -"])
def test_a_terminal_is_a_usage_error_and_never_hangs(words: str, folder: Path, preset: Preset) -> None:
    master, slave = os.openpty()
    try:
        done = subprocess.run(
            [LPTN, "retouch", "-p", str(preset.path), *words.split()],
            stdin=slave, stdout=slave, stderr=subprocess.PIPE, cwd=folder.parent, timeout=20,
        )  # fmt: skip
    finally:
        os.close(slave)
        os.close(master)
    assert done.returncode == 2
    assert b"which is a terminal; " in done.stderr and done.stderr.count(b"\n") == 1


@pytest.mark.parametrize(
    "words",
    ["--json -o -", "--print -o -", "--print0 -o -", "--json --print", "--print --print0", "in -o -",
     "- a.jpg", "- --files-from list", "in -o out.jpg", "in --name x.jpg"],
)  # fmt: skip
def test_conflicts_are_usage_errors(
    words: str, folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    inputs = [] if words.startswith(("in", "- ")) else ["in/a.jpg"]
    ran = retouch(*inputs, *words.split())
    assert ran.code == 2 and ran.stdout == b""
    assert ran.error
    assert tree(folder.parent) == {"in/a.jpg", "in/b.jpg", "in/sub/c.png"}


def test_streams_that_are_closed(folder: Path, preset: Preset) -> None:
    """Where no stream is open, the first files that are would get their numbers, and our messages."""
    out = folder.parent / "out"
    command = [LPTN, "retouch", str(folder), "-o", str(out), "-v", "-p", str(preset.path)]
    closed = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *command], timeout=60, env=environment())
    assert closed.returncode == 0
    assert all(load(out / name).pixels.size for name in ("a.jpg", "b.jpg", "sub/c.png"))
    lines = (out / ".lptn-manifest.jsonl").read_text().splitlines()
    assert len([json.loads(line) for line in lines]) == 3


def test_a_second_image_from_stdin_does_not_replace_the_first(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    data = (folder / "a.jpg").read_bytes()
    assert retouch("-", "-o", out, stdin=data).code == 0
    before = (out / "stdin.jpg").read_bytes()
    again = retouch("-", "-o", out, stdin=(folder / "b.jpg").read_bytes())
    assert again.code == 2 and "stdin.jpg is the result of an earlier photo from stdin" in again.error
    assert (out / "stdin.jpg").read_bytes() == before
    assert retouch("-", "-o", out, "--overwrite", stdin=data).code == 0


def test_a_list_may_begin_with_a_byte_order_mark(
    folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    (folder / "list").write_bytes(b"\xef\xbb\xbfa.jpg\r\nsub/c.png\r\n")
    ran = retouch("-o", folder / "out", "--dry-run", "--files-from", folder / "list")
    assert planned(ran) == ["a.jpg", "c.png"]


def test_names_in_upper_and_lower_case_where_they_are_one_file(folder: Path, retouch: Retouch) -> None:
    """As on macOS: the manifest is found under its name in capitals too."""
    out = folder.parent / "out"
    save(folder / "A.JPG", photo(40, 56))
    assert retouch(folder / "a.jpg", folder / "A.JPG", "-o", out).code == 0  # here they are two
    (out / ".LPTN-MANIFEST.JSONL").touch()
    ran = retouch(folder / "a.jpg", folder / "A.JPG", "-o", out)
    assert ran.code == 2 and "would both be written to" in ran.error and "A.JPG" in ran.error
