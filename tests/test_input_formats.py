"""Photos of formats that are read and not written, through the command line: names, notes, extras, limits."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.preset import Preset
from tests import camera_samples as cameras
from tests import codec_samples as samples
from tests.command import Ran, load, run, save, tree
from tests.conftest import photo

BECOMES = {
    "phone.HEIC": "phone.jpg",
    "a/camera.dng": "a/camera.tif",
    "art.jxl": "art.jpg",
    "plain.JPEG": "plain.JPEG",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("mixed") / "photos"
    (top / "a").mkdir(parents=True)
    (top / "phone.HEIC").write_bytes(cameras.heic(exif=samples.exif_block(6)))
    (top / "a/camera.dng").write_bytes(cameras.dng(orientation=6))
    (top / "art.jxl").write_bytes(cameras.jxl())
    save(top / "plain.JPEG", photo(40, 50))
    return top


def retouch(folder: Path, out: Path, preset: Preset, *words: object) -> Ran:
    return run("retouch", folder, "-o", out, "-p", preset.path, *words)


@pytest.fixture(scope="module")
def done(folder: Path, preset: Preset) -> Ran:
    return retouch(folder, folder.parent / "out", preset, "--json")


def test_each_becomes_what_its_suffix_says(folder: Path, done: Ran) -> None:
    assert done.code == 0 and done.stderr.splitlines()[:-1] == []
    out = folder.parent / "out"
    assert tree(out) == set(BECOMES.values())
    for name, written in BECOMES.items():
        result = load(out / written)
        assert result.format == codecs.SUFFIXES[Path(written).suffix.lower()]
        assert result.pixels.shape == load(folder / name).pixels.shape
    depths = {Path(e["output"]).name: e["depth"] for e in done.events if e["event"] == "photo"}
    assert depths == {"phone.jpg": 8, "camera.tif": 16, "art.jpg": 8, "plain.JPEG": 8}


def test_the_turn_reaches_the_result_once(folder: Path, done: Ran) -> None:
    phone, camera = (load(folder.parent / "out" / name) for name in ("phone.jpg", "a/camera.tif"))
    assert (phone.pixels.shape, phone.metadata.orientation) == ((83, 61, 3), 1)
    assert (camera.pixels.shape, camera.metadata.orientation) == ((62, 84, 3), 6)
    assert camera.metadata.exif is not None and b"Lucid 35" in camera.metadata.exif


def test_a_second_run_has_nothing_to_do(folder: Path, done: Ran, preset: Preset) -> None:
    again = retouch(folder, folder.parent / "out", preset, "--json")
    assert set(again.photos().values()) == {"up-to-date"}


def test_a_dry_run_names_the_same_outputs(folder: Path, preset: Preset) -> None:
    plan = retouch(folder, folder.parent / "dry", preset, "--dry-run", "--json")
    names = {str(Path(e["output"]).relative_to(folder.parent / "dry")) for e in plan.events if "output" in e}
    assert names == set(BECOMES.values())


def test_another_format_is_written_on_request(folder: Path, preset: Preset, tmp_path: Path) -> None:
    ran = retouch(folder, tmp_path, preset, "--format", "png")
    assert ran.code == 0
    assert {load(tmp_path / name).depth for name in ("a/camera.png",)} == {16}
    assert retouch(folder / "a/camera.dng", tmp_path / "one.jpg", preset).code == 0
    assert load(tmp_path / "one.jpg").format == "jpeg"


def test_a_heic_and_a_jpeg_of_one_name_collide_before_the_first_is_decoded(
    preset: Preset, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/x.heic").write_bytes(b"never read")
    (tmp_path / "in/x.jpg").write_bytes(b"never read")
    ran = retouch(tmp_path / "in", tmp_path / "out", preset)
    assert ran.code == 2 and "would both be written to" in ran.error and "--exclude" in ran.error
    assert not (tmp_path / "out").exists()
    (tmp_path / "in/x.heic").rename(tmp_path / "in/x.nef")  # RAW + JPEG of one press of the shutter do not
    plan = retouch(tmp_path / "in", tmp_path / "out", preset, "--dry-run", "--json")
    assert plan.code == 0 and {Path(e["output"]).name for e in plan.events if "output" in e} == {
        "x.jpg",
        "x.tif",
    }


@pytest.mark.parametrize("name", ["x.heic", "x.jxl", "x.dng"])
def test_they_cannot_be_asked_for_as_outputs(folder: Path, name: str, preset: Preset, tmp_path: Path) -> None:
    ran = retouch(folder / "plain.JPEG", tmp_path / name, preset)
    assert ran.code == 2 and "lptn writes" in ran.error
    ran = retouch(folder, tmp_path, preset, "--name", "{stem}" + Path(name).suffix)
    assert ran.code == 2 and "is no format lptn writes" in ran.error


@pytest.mark.parametrize(
    ("module", "name", "extra"), [("pillow_heif", "phone.HEIC", "heic"), ("rawpy", "camera.dng", "raw")]
)
def test_without_an_extra_its_photos_fail_and_say_what_to_install(
    module: str, name: str, extra: str, folder: Path, preset: Preset, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    ran = retouch(folder, tmp_path, preset, "--json")
    assert ran.code == 1
    assert [n for n, status in ran.photos().items() if status == "failed"] == [name]
    (failed,) = (e for e in ran.events if e.get("status") == "failed")
    assert failed["error"] == "unsupported" and failed["message"].endswith(f"pip install 'lptn[{extra}]'")


@pytest.mark.parametrize("name", ["phone.HEIC", "a/camera.dng", "art.jxl"])
def test_the_limit_of_pixels_holds(name: str, folder: Path, preset: Preset, tmp_path: Path) -> None:
    ran = retouch(folder / name, tmp_path, preset, "--json", "--max-megapixels", "0.005")
    assert [e["error"] for e in ran.events if e["event"] == "photo"] == ["too-large"]


def test_wrong_suffixes(preset: Preset, tmp_path: Path) -> None:
    """The output is what its own suffix says; what that changes against the content's custom is said."""
    source = tmp_path / "in"
    source.mkdir()
    (source / "phone.jpg").write_bytes(cameras.heic())
    (source / "sent.heic").write_bytes(samples.file("jpeg"))
    (source / "raw.jpg").write_bytes(cameras.dng())
    ran = retouch(source, tmp_path / "out", preset)
    assert ran.code == 0 and tree(tmp_path / "out") == {"phone.jpg", "sent.jpg", "raw.jpg"}
    assert {load(tmp_path / "out" / name).format for name in tree(tmp_path / "out")} == {"jpeg"}
    assert [line for line in ran.stderr.splitlines() if "by its content" in line] == [
        f"lptn: {source}/raw.jpg: is RAW by its content and is written as JPEG, as its name says"
    ]
    (source / "really.jpg").write_bytes(samples.file("png"))
    piped = run("retouch", source / "really.jpg", "-o", "-", "-p", preset.path)
    assert codecs.sniff(piped.stdout) == "png" and "by its content" not in piped.stderr


@pytest.mark.parametrize(
    ("data", "format"), [(cameras.heic(), "jpeg"), (cameras.dng(), "tiff"), (cameras.jxl(), "jpeg")]
)
def test_a_pipe(data: bytes, format: str, preset: Preset, tmp_path: Path) -> None:
    piped = run("retouch", "-", "-o", "-", "-p", preset.path, stdin=data)
    assert piped.code == 0 and codecs.sniff(piped.stdout) == format


def test_what_is_said_of_floats_and_cmyk(preset: Preset, tmp_path: Path) -> None:
    import tifffile

    source = tmp_path / "in"
    source.mkdir()
    tifffile.imwrite(source / "float.tif", samples.photo().astype(np.float32) / 255, photometric="rgb")
    (source / "press.jpg").write_bytes(samples.cmyk_jpeg(samples.cmyk_profile()))
    ran = retouch(source, tmp_path / "out", preset)
    assert ran.code == 0
    assert f"lptn: {source}/float.tif: holds floats, of which 0 to 1 became 16 bits" in ran.stderr
    assert f"lptn: {source}/press.jpg: is CMYK and became sRGB through its profile" in ran.stderr


def test_comparing_pictures_are_made_of_them(folder: Path, preset: Preset, tmp_path: Path) -> None:
    assert retouch(folder, tmp_path, preset, "--compare").code == 0
    page = (tmp_path / "compare.html").read_text("utf-8")
    assert "phone.jpg" in page and "camera.tif" in page


def test_alpha_of_a_heic_is_laid_on_white() -> None:
    clear = np.zeros((32, 32, 4), np.uint8)
    image = codecs.decode(cameras.heic("RGBA", clear, quality=100))
    assert image.alpha is not None and image.alpha.max() < 3
    assert codecs.decode(codecs.encode(image, EncodeOptions("jpeg"))).pixels.min() > 250
    assert isinstance(image, Image)
