"""Every tag kept, or gone where it was asked to go, with exiftool as the judge."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from lptn_cli import codecs
from lptn_cli.codecs.formats import Format
from lptn_cli.codecs.ifd import EXIF_IFD, Field, pack
from lptn_cli.codecs.image import EncodeOptions, Metadata, MetadataPolicy

from . import codec_samples as samples
from .exiftool import Tags, needs_exiftool, rich, tags

pytestmark = needs_exiftool

EDITOR = 'lptn 9.9 (preset "dusk", strength 1)'
# Where a format has no place for a part, it cannot hold it in the first place.
IPTC_AND_COMMENTS = ("IPTC", "Photoshop", "Comment")


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> dict[Format, Path]:
    """A file a format with `exiftool.RICH`, a profile and a maker note."""
    folder = tmp_path_factory.mktemp("originals")
    paths = {format: folder / f"a{codecs.EXTENSIONS[format]}" for format in samples.FORMATS}
    for format, path in paths.items():
        block = samples.exif_block(6, order="<", gps=False, thumb=False)
        path.write_bytes(samples.file(format, Metadata(exif=block, icc=samples.profile(), orientation=6)))
    rich(*paths.values())
    return paths


@pytest.fixture(scope="module")
def said(originals: dict[Format, Path]) -> dict[Format, Tags]:
    return dict(zip(originals, tags(*originals.values()), strict=True))


def written(path: Path, folder: Path, policy: MetadataPolicy, *targets: Format) -> list[Tags]:
    """What is said after that photo went through the codecs, in each format."""
    image = codecs.decode(path.read_bytes())
    results = []
    for target in targets:
        result = folder / f"{policy}-{target}{codecs.EXTENSIONS[target]}"
        result.write_bytes(codecs.encode(image, EncodeOptions(target, metadata=policy, editor=EDITOR)))
        results.append(result)
    return tags(*results)


def without(said: Tags, *starts: str) -> Tags:
    return {key: value for key, value in said.items() if not key.startswith(starts)}


def edited(before: Tags) -> Tags:
    """The tags with the one more event in XMP, and the tool named."""
    history = before["XMP-xmpMM:History"][0].rstrip("]") + ', {"Action": "edited", "SoftwareAgent": %s}]'
    return {
        **before,
        "XMP-xmp:CreatorTool": [EDITOR.replace('"', '\\"').join('""')],
        "XMP-xmpMM:History": [history % EDITOR.replace('"', '\\"').join('""')],
    }


@pytest.mark.parametrize("format", samples.FORMATS)
def test_every_tag_is_kept_and_the_history_is_longer(
    format: Format, originals: dict[Format, Path], said: dict[Format, Tags], tmp_path: Path
) -> None:
    before = said[format]
    assert len(before) > 90 and "ExifIFD:LensModel" in before and "XMP-lr:HierarchicalSubject" in before
    assert "IPTC:Keywords" in before or format in ("webp", "avif")
    (after,) = written(originals[format], tmp_path, "keep", format)
    assert after == edited(before)


def test_every_tag_of_a_jpeg_is_kept_in_the_other_formats(
    originals: dict[Format, Path], said: dict[Format, Tags], tmp_path: Path
) -> None:
    found = written(originals["jpeg"], tmp_path, "keep", "png", "tiff", "webp", "avif")
    for format, after in zip(("png", "tiff", "webp", "avif"), found, strict=True):
        expected = edited(said["jpeg"])
        if format in ("webp", "avif"):
            expected = without(expected, *IPTC_AND_COMMENTS)
        if format == "tiff":  # a comment stands below the description there
            (description,), (comment,) = expected["IFD0:ImageDescription"], expected["Comment:Comment"]
            expected = without(expected, "Comment")
            expected["IFD0:ImageDescription"] = [description[:-1] + "\\n" + comment[1:]]
        assert {key: after.get(key) for key in expected} == expected


@pytest.mark.parametrize("format", samples.FORMATS)
def test_no_gps_takes_the_position_and_nothing_else(
    format: Format, originals: dict[Format, Path], said: dict[Format, Tags], tmp_path: Path
) -> None:
    (after,) = written(originals[format], tmp_path, "no-gps", format)
    places = {key: value for key, value in edited(said[format]).items() if "GPS" not in key}
    shown = json.loads(places["XMP-iptcExt:LocationShown"][0])
    shown = [{key: value for key, value in place.items() if not key.startswith("GPS")} for place in shown]
    assert shown == [{"City": "Berlin", "Sublocation": "Old pier"}]
    places["XMP-iptcExt:LocationShown"] = [json.dumps(shown, sort_keys=True)]
    assert after == places and after["XMP-iptcCore:Location"] == ['"Old pier"']
    assert len(said[format]) - len(after) > 10
    assert b"GPS" not in (tmp_path / f"no-gps-{format}{codecs.EXTENSIONS[format]}").read_bytes()


def test_none_leaves_the_profile_and_the_orientation(originals: dict[Format, Path], tmp_path: Path) -> None:
    for format, path in originals.items():
        (after,) = written(path, tmp_path, "none", format)
        groups = {key.partition(":")[0] for key in after}
        assert after["IFD0:Orientation"] == ["6"] and "ICC-header" in groups
        assert {group for group in groups if not group.startswith(("ICC", "PNG"))} == {"IFD0"}
        resolution = {"XResolution", "YResolution", "ResolutionUnit"}  # a TIFF says them in any case
        assert {key for key in after if key.startswith("IFD0")} - {f"IFD0:{r}" for r in resolution} == {
            "IFD0:Orientation"
        }


LENS = b"EF35mm f/1.4L II USM\x00"


def canon() -> bytes:
    """An EXIF block whose maker note, as Canon's do, holds offsets from the start of the block."""

    def block(note: bytes) -> bytes:
        details = (Field(0x9003, 2, 20, b"2024:05:06 07:08:09\x00"), Field(0x927C, 7, len(note), note))
        rows = (Field(0x010F, 2, 6, b"Canon\x00"), Field(0x0110, 2, 14, b"Canon EOS 5D4\x00"))
        return b"II*\x00\x08\x00\x00\x00" + pack((*rows, Field(EXIF_IFD, 4, 1, details)), 8, "<")

    rows = (Field(0x0006, 2, 14, b"Canon EOS 5D4\x00"), Field(0x0095, 2, len(LENS), LENS))
    holder = bytes(b"\x7f" * len(pack(rows, 0, "<")))
    return block(pack(rows, block(holder).index(holder), "<"))


def test_maker_notes_that_hold_offsets_into_the_file_can_be_read_on_every_way(tmp_path: Path) -> None:
    source = tmp_path / "a.jpg"
    source.write_bytes(samples.file("jpeg", Metadata(exif=canon())))
    steps = written(source, tmp_path, "keep", *samples.FORMATS)
    tiff = tmp_path / f"keep-tiff{codecs.EXTENSIONS['tiff']}"
    (tmp_path / "again").mkdir()
    steps += written(tiff, tmp_path / "again", "keep", *samples.FORMATS)
    assert [step.get("Canon:LensModel") for step in steps] == [[f'"{LENS[:-1].decode()}"']] * 10


@pytest.mark.parametrize("words", [b"Longitude 13.404954", None])
def test_no_gps_takes_a_maker_note_that_tells_the_position(words: bytes | None, tmp_path: Path) -> None:
    repeated = struct.pack("<6I", *struct.unpack(">6I", samples.LATITUDE))  # in the other byte order
    note = b"Obscura maker note " + (words or repeated)
    block = samples.exif_block(1, thumb=False).replace(
        samples.MAKER_NOTE, note.ljust(len(samples.MAKER_NOTE))
    )
    image = codecs.decode(samples.file("jpeg", Metadata(exif=block)))
    kept = codecs.encode(image, EncodeOptions("jpeg"))
    hidden = codecs.encode(image, EncodeOptions("jpeg", metadata="no-gps"))
    assert note in kept and b"Obscura maker" not in hidden and b"2024:05:06 07:08:09" in hidden
    path = tmp_path / "a.jpg"
    path.write_bytes(hidden)
    assert tags(path)[0]["ExifIFD:DateTimeOriginal"] == ['"2024:05:06 07:08:09"']
