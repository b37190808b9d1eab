"""The contract of the command line: what is written, under which name, and when it is written anew."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lptn_cli import __version__, codecs
from lptn_cli.atomic import _machine
from lptn_cli.codecs.image import EncodeOptions, Image
from tests.codec_samples import GPS_WORDS, file, full_metadata, jpeg
from tests.command import Retouch, contents, load, run, save, tree
from tests.conftest import make_preset, photo

# Output


def test_the_default_output_folder(folder: Path, retouch: Retouch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    ran = retouch("in")
    assert ran.code == 0 and ran.stdout == b"" and ran.error.endswith(" -> lptn-out/dusk")
    assert tree(folder.parent / "lptn-out/dusk") == {"a.jpg", "b.jpg", "sub/c.png"}


def test_name_template(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    assert retouch(folder, "-o", out, "--name", "{preset}/{dir}/{n:03d}-{stem}.webp").code == 0
    assert tree(out) == {"dusk/001-a.webp", "dusk/002-b.webp", "dusk/sub/003-c.webp"}
    assert load(out / "dusk/sub/003-c.webp").format == "webp"


@pytest.mark.parametrize("template", ["{nope}{ext}", "{stem}", "{stem", "../{stem}{ext}", "{stem!r}{ext}"])
def test_a_bad_template_is_a_usage_error(template: str, folder: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", folder.parent / "out", "--name", template)
    assert ran.code == 2 and "--name" in ran.error


def test_a_name_that_is_too_long_is_one_clear_line(folder: Path, retouch: Retouch) -> None:
    template, out = "{stem}" + "x" * 300 + "{ext}", folder.parent / "out"
    ran = retouch(folder / "a.jpg", "-o", out, "--name", template, "-q")
    assert ran.code == 1 and "the name is too long" in ran.error
    assert retouch(folder / "a.jpg", "-o", out, "--name", template, "-n").code == 0


@pytest.mark.parametrize("word", ["jpeg", "jpg", "png", "tiff", "tif", "webp", "avif"])
def test_format(word: str, folder: Path, retouch: Retouch) -> None:
    out, format = folder.parent / "out", codecs.OUTPUT_SUFFIXES[f".{word}"]
    assert retouch(folder / "a.jpg", "-o", out, "--format", word).code == 0
    assert load(out / f"a{codecs.EXTENSIONS[format]}").format == format


def test_quality_subsampling_and_depth(tmp_path: Path, retouch: Retouch) -> None:
    source, out = save(tmp_path / "a.jpg", photo(200, 300), subsampling="422"), tmp_path / "o.jpg"

    def made(*words: object, to: Path = out) -> Path:
        assert retouch(source, "-o", to, "--overwrite", *words).code == 0
        return to

    plain = made().stat().st_size
    assert load(out).subsampling == "422"
    assert made("--quality", 95).stat().st_size == plain
    assert made("--quality", 30).stat().st_size < plain / 2
    assert load(made("--subsampling", 444)).subsampling == "444"
    assert load(made("--depth", 16, to=tmp_path / "o.png")).depth == 16
    sixteen = save(tmp_path / "b.tif", photo(40, 50, "uint16"))
    retouch(sixteen, "-o", tmp_path / "c.tif", "--depth", "8")
    assert load(tmp_path / "c.tif").depth == 8


@pytest.mark.parametrize("words", ["--format jpeg", "--format webp", "--format avif", ""])
def test_16_bits_of_an_8_bit_format_are_a_usage_error(words: str, folder: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", folder.parent / "out", "--depth", "16", *words.split())
    assert ran.code == 2 and "8 bits a channel" in ran.error and f"{folder}/" in ran.error
    assert not (folder.parent / "out").exists()


def test_metadata(tmp_path: Path, retouch: Retouch) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(file("jpeg", full_metadata(orientation=6)))
    found = {}
    for policy in ("keep", "no-gps", "none"):
        assert retouch(source, "-o", tmp_path / policy, "--metadata", policy).code == 0
        found[policy] = (tmp_path / policy / "a.jpg").read_bytes()
        metadata = codecs.decode(found[policy]).metadata
        assert metadata.orientation == 6 and metadata.icc == full_metadata().icc
    assert GPS_WORDS in found["keep"] and b"Obscura 7" in found["keep"]
    assert GPS_WORDS not in found["no-gps"] and b"Obscura 7" in found["no-gps"]
    assert GPS_WORDS not in found["none"] and b"Obscura 7" not in found["none"]


def test_the_result_says_in_xmp_what_was_done_to_it(tmp_path: Path, retouch: Retouch) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(file("jpeg", full_metadata()))
    for n, words in ((1, []), (2, []), (3, ["-s", "0.5", "--light", "1.2"]), (4, ["--metadata", "none"])):
        assert retouch(source, "-o", tmp_path / str(n), *words).code == 0
    one, same, other, none = ((tmp_path / str(n) / "a.jpg").read_bytes() for n in (1, 2, 3, 4))
    assert one == same
    said = f"lptn {__version__} (preset dusk, strength %s)"
    assert one.count((said % "1").encode()) == 2  # the tool, and the event in the history
    assert other.count((said % "0.5, light 1.2").encode()) == 2
    assert b"dusk" not in none and b"lptn" not in none


def test_what_a_killed_run_left_beside_its_one_output_goes(tmp_path: Path, retouch: Retouch) -> None:
    save(tmp_path / "a.png", photo(40, 60))
    left = tmp_path / f".lptn-{_machine()}-{2**40}-{'0' * 16}.part"
    left.touch()
    assert retouch(tmp_path / "a.png", "-o", tmp_path / "b.png").code == 0
    assert not left.exists()


def test_what_of_a_photo_is_lost_is_said(tmp_path: Path, retouch: Retouch) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(jpeg((0xE2, b"urn:iso:std:iso:ts:21496:-1\x00\x00"), (0xFE, b"a comment")))
    ran = retouch(source, "-o", tmp_path / "out", "--format", "webp")
    assert ran.code == 0 and (tmp_path / "out" / "a.webp").is_file()
    assert "a.jpg: had a gain map (HDR), dropped as it shows the photo before retouching; " in ran.stderr
    assert "loses its comment, which WEBP cannot hold" in ran.stderr
    again = retouch(source, "-o", tmp_path / "more", "--format", "webp", "--metadata", "none")
    assert "loses" not in again.stderr


@pytest.mark.parametrize(("least", "said"), [(254, True), (255, False), (None, False)])
def test_what_was_transparent_is_said(
    least: int | None, said: bool, tmp_path: Path, retouch: Retouch
) -> None:
    pixels = photo(120, 150)
    alpha = None
    if least is not None:
        alpha = np.full(pixels.shape[:2], 255, np.uint8)
        alpha[0, 0] = least
    png = codecs.encode(Image(pixels, "png", alpha), EncodeOptions("png"))
    (tmp_path / "a.png").write_bytes(png)
    kept = retouch(tmp_path / "a.png", "-o", tmp_path / "out")
    ran = retouch(tmp_path / "a.png", "-o", tmp_path / "out", "--format", "jpeg")
    line = "a.png: is laid on white where it is transparent, which JPEG cannot be"
    assert (kept.code, ran.code, line in ran.stderr) == (0, 0, said)
    assert "laid on white" not in kept.stderr


def test_keep_times(folder: Path, retouch: Retouch) -> None:
    os.utime(folder / "a.jpg", ns=(1_000_000_000, 1_000_000_000))
    out = folder.parent / "out"
    assert retouch(folder, "-o", out, "--keep-times").code == 0
    assert (out / "a.jpg").stat().st_mtime_ns == 1_000_000_000
    assert set(retouch(folder, "-o", out, "--json").photos().values()) == {"up-to-date"}


def test_keep_times_of_what_is_finished(folder: Path, retouch: Retouch) -> None:
    for name in ("a.jpg", "b.jpg"):
        os.utime(folder / name, ns=(1_000_000_000, 1_000_000_000))
    out = folder.parent / "out"
    assert retouch(folder, "-o", out).code == 0
    (out / "b.jpg").write_bytes((out / "b.jpg").read_bytes())
    os.utime(out / "b.jpg", ns=(2_000_000_000_000, 2_000_000_000_000))  # somebody else's doing
    for _ in range(2):
        assert set(retouch(folder, "-o", out, "--keep-times", "--json").photos().values()) == {"up-to-date"}
        assert (out / "a.jpg").stat().st_mtime_ns == 1_000_000_000
        assert (out / "b.jpg").stat().st_mtime_ns == 2_000_000_000_000
    assert retouch(folder, "-o", out, "-s", "0.5", "--exclude", "b.jpg").code == 0  # a.jpg is ours still


def test_somebody_elses_output_fails_with_a_hint_and_is_untouched(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    out.mkdir()
    (out / "a.jpg").write_bytes(b"mine")
    (out / "b.jpg").symlink_to("nowhere")
    ran = retouch(folder, "-o", out, "--json")
    assert ran.code == 1
    assert ran.photos() == {"a.jpg": "failed", "b.jpg": "failed", "c.png": "written"}
    assert [e["error"] for e in ran.events if e.get("status") == "failed"] == ["write", "write"]
    assert ran.stderr.count("exists and lptn did not write it; --overwrite replaces it") == 2
    assert (out / "a.jpg").read_bytes() == b"mine" and (out / "b.jpg").is_symlink()
    assert retouch(folder, "-o", out, "--overwrite").code == 0
    assert load(out / "a.jpg").format == "jpeg" and not (out / "b.jpg").is_symlink()


def test_an_output_file_that_exists_is_replaced_only_with_overwrite(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "o.jpg"
    assert retouch(folder / "a.jpg", "-o", out).code == 0
    before = out.read_bytes()
    again = retouch(folder / "b.jpg", "-o", out, "-q")
    assert again.code == 1 and "o.jpg exists; --overwrite replaces it" in again.error
    assert out.read_bytes() == before
    assert retouch(folder / "b.jpg", "-o", out, "--overwrite").code == 0
    assert out.read_bytes() != before


def test_an_output_that_is_an_input_and_two_for_one_are_usage_errors(folder: Path, retouch: Retouch) -> None:
    before = contents(folder)
    own = retouch(folder, "-o", folder, "--overwrite")
    assert own.code == 2 and "which is the input" in own.error
    twins = retouch(folder, "-o", folder.parent / "out", "--name", "x{ext}")
    assert twins.code == 2 and "a.jpg" in twins.error and "b.jpg" in twins.error
    assert contents(folder) == before and not (folder.parent / "out").exists()


def test_an_empty_output_is_a_usage_error(folder: Path, retouch: Retouch) -> None:
    ran = retouch(folder, "-o", "")
    assert ran.code == 2 and "-o is empty" in ran.error


# Resume


@pytest.mark.parametrize("words", ["-s 0.5", "--light 0.2", "--metadata none", "--depth 8"])
def test_what_changes_pixels_or_encoding_redoes_the_work(words: str, folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    retouch(folder, "-o", out)
    assert set(retouch(folder, "-o", out, "--json").photos().values()) == {"up-to-date"}
    redone = retouch(folder, "-o", out, "--json", *words.split())
    assert redone.code == 0 and set(redone.photos().values()) == {"written"}
    assert set(retouch(folder, "-o", out, "--json", *words.split()).photos().values()) == {"up-to-date"}


def test_another_quality_redoes_what_has_one(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    retouch(folder, "-o", out)
    redone = retouch(folder, "-o", out, "--json", "--quality", "80").photos()
    assert redone == {"a.jpg": "written", "b.jpg": "written", "c.png": "up-to-date"}


def test_another_preset_redoes_the_work(folder: Path, retouch: Retouch, tmp_path: Path) -> None:
    retouch(folder, "-o", tmp_path / "out")
    other = make_preset(tmp_path / "other", seed=4)
    again = run("retouch", folder, "-o", tmp_path / "out", "--json", "-p", other.path)
    assert set(again.photos().values()) == {"written"}


def test_deleted_outputs_and_changed_inputs_are_redone(folder: Path, retouch: Retouch) -> None:
    out = folder.parent / "out"
    retouch(folder, "-o", out)
    before = contents(out)
    (out / "a.jpg").unlink()
    save(folder / "sub/c.png", photo(60, 60))
    ran = retouch(folder, "-o", out, "--json")
    assert ran.photos() == {"a.jpg": "written", "b.jpg": "up-to-date", "c.png": "written"}
    assert load(out / "sub/c.png").pixels.shape == (60, 60, 3)
    assert contents(out)["b.jpg"] == before["b.jpg"]
