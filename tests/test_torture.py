"""The torture folder: everything that people have among their photos, in one real run."""

from __future__ import annotations

import io
import os
import struct
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image as PillowImage

from lptn_cli import codecs
from lptn_cli.preset import Preset
from tests.codec_samples import png
from tests.command import Ran, contents, load, on_linux, run, save, spawn, tree
from tests.conftest import photo

ROOT = os.geteuid() == 0
NOT_UTF8 = os.fsdecode(b"caf\xe9 \xff.jpg")

GOOD = {
    "plain.jpg", "really-a-png.jpg", "panorama.png", "folder.jpg/inside.jpg", NOT_UTF8, "UPPER.JPEG",
    "loop/again.jpg", "a&b 'quoted' $HOME;.png", "grey.png", "see-through.png",
}  # fmt: skip
BAD = {  # name -> (`error` of --json, part of the message)
    "empty.jpg": ("decode", "the file is empty"),
    "text.jpg": ("unsupported", "this is not an image"),
    "truncated.jpg": ("decode", ""),
    "truncated.png": ("decode", ""),
    "huge.png": ("too-large", "65000x65000 is 4225 megapixels"),
    "fifo.jpg": ("read", "is not a regular file"),
    "circle.jpg": ("read", "symbolic links go round in circles"),
    "dangling.jpg": ("read", "a link to a file that is not there"),
    "zeros.tif": ("unsupported", "this is not an image"),
    "heic.jpg": ("decode", "the HEIC data is truncated or corrupt"),
    "cmyk.jpg": ("unsupported", "CMYK JPEG without its profile"),
    "row.png": ("too-small", "needs 16 pixels"),
    "tiny.png": ("too-small", "needs 16 pixels"),
}  # fmt: skip


def fill(folder: Path) -> None:
    plain = save(folder / "plain.jpg", photo(120, 160)).read_bytes()
    save(folder / "really-a-png.jpg", photo(40, 50), "png")
    save(folder / "panorama.png", photo(17, 400))
    save(folder / "tiny.png", photo(5, 5))
    save(folder / "row.png", photo(1, 300))
    save(folder / "folder.jpg/inside.jpg", photo(40, 50))
    save(folder / NOT_UTF8, photo(40, 50))
    save(folder / "UPPER.JPEG", photo(40, 50))
    save(folder / "loop/again.jpg", photo(40, 50))
    save(folder / "a&b 'quoted' $HOME;.png", photo(40, 50))
    PillowImage.fromarray(photo(40, 50)).convert("L").save(folder / "grey.png")
    PillowImage.fromarray(photo(40, 50)).convert("RGBA").save(folder / "see-through.png")
    PillowImage.fromarray(photo(60, 80)).convert("CMYK").save(folder / "cmyk.jpg", quality=95)

    (folder / "empty.jpg").touch()
    (folder / "text.jpg").write_text("Dear diary, no photos today.\n")
    (folder / "truncated.jpg").write_bytes(plain[: len(plain) // 2])
    whole = io.BytesIO()
    PillowImage.fromarray(photo(60, 80)).save(whole, "png")
    (folder / "truncated.png").write_bytes(whole.getvalue()[: len(whole.getvalue()) // 2])
    header = struct.pack(">IIBBBBB", 65000, 65000, 8, 2, 0, 0, 0)
    (folder / "huge.png").write_bytes(png((b"IHDR", header), (b"IDAT", b"x"), (b"IEND", b"")))
    os.mkfifo(folder / "fifo.jpg")
    (folder / "circle.jpg").symlink_to("circle.jpg")
    (folder / "dangling.jpg").symlink_to("nowhere.jpg")
    (folder / "loop/back").symlink_to("..")
    (folder / "zeros.tif").write_bytes(bytes(1000))
    (folder / "heic.jpg").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    if not ROOT:
        save(folder / "locked.jpg", photo(40, 50)).chmod(0)


@dataclass(frozen=True)
class Torture:
    source: Path
    out: Path
    ran: Ran
    seconds: float


@pytest.fixture(scope="module")
def torture(preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> Torture:
    top = tmp_path_factory.mktemp("torture")
    fill(top / "photos")
    began = time.monotonic()
    ran = spawn("retouch", "photos", "-o", "out", "-p", preset.path, cwd=top)
    return Torture(top / "photos", top / "out", ran, time.monotonic() - began)


pytestmark = on_linux


def test_every_good_photo_is_written_and_nothing_else(torture: Torture) -> None:
    assert tree(torture.out) == GOOD
    for name in GOOD:
        was, now = load(torture.source / name), load(torture.out / name)
        assert now.pixels.shape == was.pixels.shape, name
        assert now.pixels.dtype == was.pixels.dtype, name
        assert now.grey == was.grey or name == "grey.png"  # a look with colour makes a grey photo RGB
        assert (now.alpha is None) == (was.alpha is None), name


@pytest.mark.parametrize("name", BAD)
def test_every_bad_one_has_exactly_one_line(name: str, torture: Torture) -> None:
    (line,) = (line for line in torture.ran.stderr.splitlines() if f"/{name}: " in line)
    assert line.startswith(f"lptn: photos/{name}: ") and BAD[name][1] in line
    assert "Error" not in line and "errno" not in line.lower()


@pytest.mark.skipif(ROOT, reason="root may read everything")
def test_an_unreadable_file_has_one_line(torture: Torture) -> None:
    (line,) = (line for line in torture.ran.stderr.splitlines() if "locked.jpg" in line)
    assert "permission denied" in line


def test_the_run_ends_with_1_and_one_summary(torture: Torture) -> None:
    failed = len(BAD) + (not ROOT)
    assert torture.ran.code == 1 and torture.ran.stdout == b""
    *lines, summary = torture.ran.stderr.splitlines()
    failures = [line for line in lines if "by its content" not in line]
    assert len(lines) - len(failures) == 1  # the PNG named .jpg
    assert len(failures) == failed
    assert summary.startswith(f"lptn: {len(GOOD)} written, {failed} failed in ")
    assert "Traceback" not in torture.ran.stderr and "Warning" not in torture.ran.stderr


def test_no_temporary_file_is_left(torture: Torture) -> None:
    assert [path.name for path in torture.out.rglob(".*")] == [".lptn-manifest.jsonl"]


def test_the_look_of_a_photo_does_not_depend_on_its_neighbours(torture: Torture, preset: Preset) -> None:
    """Threads share a device: none may get another's pixels."""
    run("retouch", torture.source / "plain.jpg", "-o", torture.out.parent / "alone", "-p", preset.path)
    alone = torture.out.parent / "alone/plain.jpg"
    assert alone.read_bytes() == (torture.out / "plain.jpg").read_bytes()


def test_a_second_run_tries_the_bad_ones_alone(torture: Torture, preset: Preset) -> None:
    before = contents(torture.out)
    again = run("retouch", torture.source, "-o", torture.out, "-p", preset.path, "--json")
    statuses = list(again.photos().values())
    assert (statuses.count("up-to-date"), statuses.count("written")) == (len(GOOD), 0)
    assert statuses.count("failed") == len(BAD) + (not ROOT)
    assert contents(torture.out) == before


def test_all_kinds_of_failure_have_their_word(torture: Torture, preset: Preset) -> None:
    ran = run("retouch", torture.source, "-o", torture.out, "-p", preset.path, "--json")
    errors = {Path(e["input"]).name: e["error"] for e in ran.events if e.get("status") == "failed"}
    errors.pop("locked.jpg", None)
    assert errors == {name: word for name, (word, _) in BAD.items()}


def test_two_photos_that_become_one_file_are_a_usage_error(tmp_path: Path, preset: Preset) -> None:
    save(tmp_path / "in/a.jpg", photo(40, 50))
    save(tmp_path / "in/a.png", photo(40, 50))
    out = tmp_path / "out"
    ran = run("retouch", tmp_path / "in", "-o", out, "-p", preset.path, "--format", "jpeg")
    assert ran.code == 2 and "in/a.jpg and " in ran.error and "in/a.png would both be" in ran.error
    assert not out.exists()


def test_hardly_any_memory_is_asked_for_by_a_huge_header(torture: Torture) -> None:
    """The header of 300 bytes made three libraries allocate 2.5 to 7.5 GB."""
    data = (torture.source / "huge.png").read_bytes()
    header = codecs.read_header(data)
    assert (header.width, header.height, len(data) < 100) == (65000, 65000, True)
