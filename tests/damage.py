"""Photos of every format, damaged at random: what `tests.fuzz` feeds the codecs."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import tifffile

from lptn_cli.codecs.image import Metadata

from . import camera_samples as cameras
from . import codec_samples as samples

SIZES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


@lru_cache(maxsize=1)
def originals() -> dict[str, bytes]:
    """Small files of every format and layout, with all the metadata they hold."""
    small = samples.photo(24, 32)
    full = samples.full_metadata(exif=samples.exif_block(), icc=samples.profile())
    made: dict[str, bytes] = {name: samples.file(name, full) for name in samples.FORMATS}
    options: dict[str, Any]
    for name, mode, options in (
        ("progressive.jpeg", "RGB", {"progressive": True}),
        ("grey.jpeg", "L", {"restart_marker_blocks": 2}),
        ("palette.png", "P", {"transparency": 3}),
        ("bits.png", "1", {}),
        ("alpha.png", "LA", {}),
    ):
        buffer = io.BytesIO()
        format = name.split(".")[1].upper()
        PIL.Image.fromarray(small).convert(mode).save(buffer, format, **options)
        made[name] = buffer.getvalue()
    made["cmyk.jpeg"] = samples.cmyk_jpeg(samples.cmyk_profile())
    made["xmp.jpeg"] = samples.file("jpeg", Metadata(xmp=samples.xmp_packet(70_000)))
    deep = samples.photo(24, 32, np.uint16)
    for name, pixels, options in (
        ("lzw", small, {"compression": "lzw", "predictor": True, "tile": (16, 16)}),
        (
            "planes",
            np.moveaxis(deep, 2, 0),
            {"planarconfig": "separate", "byteorder": ">", "compression": "zlib"},
        ),
        ("big", deep, {"bigtiff": True, "compression": "packbits"}),
        ("float", (small / 255).astype(np.float32), {"compression": "zlib", "predictor": 3}),
        ("half", (small / 255).astype(np.float16), {}),
        ("zstd", small, {"compression": "zstd"}),
    ):
        buffer = io.BytesIO()
        tifffile.imwrite(buffer, pixels, photometric="rgb", metadata=None, **options)
        made[f"{name}.tiff"] = buffer.getvalue()
    buffer = io.BytesIO()
    ink = np.dstack([small, small[..., :1]])
    tifffile.imwrite(buffer, ink, photometric="separated", iccprofile=samples.cmyk_profile(), metadata=None)
    made["cmyk.tiff"] = buffer.getvalue()
    made["lossless.webp"] = bytes(imagecodecs.webp_encode(np.dstack([small, small[..., :1]]), lossless=True))
    made["heic"] = cameras.heic("RGBA", exif=samples.exif_block(), icc_profile=samples.profile())
    made["deep.heic"] = cameras.deep_heic()
    exif = cameras.box(b"Exif", bytes(4), samples.exif_block())
    made["jxl"] = cameras.jxl(small, exif, cameras.box(b"xml ", samples.xmp_packet()))
    made["lossy.jxl"] = cameras.jxl(small, level=85)
    made["jpeg.jxl"] = bytes(imagecodecs.jpegxl_encode_jpeg(made["jpeg"]))
    made["raw"] = cameras.dng(small, 6)
    made["tiled.raw"] = cameras.dng(small, tile=(16, 16))
    made["packed.raw"] = cameras.dng(small, 3, **cameras.LOSSLESS_JPEG)
    made |= {
        "cr3.raw": cameras.cr3(),
        "raf.raw": cameras.raf(),
        "orf.raw": cameras.orf(),
        "rw2.raw": cameras.rw2(),
    }
    return made


def case(seed: int, number: int) -> tuple[str, bytes]:
    """(name of the file it was made of, damaged file)."""
    rng = np.random.default_rng([seed, number])
    names = sorted(originals())
    name = names[number % len(names)]
    data = bytearray(originals()[name])
    for _ in range(rng.integers(1, 4)):
        data = _MUTATIONS[rng.integers(len(_MUTATIONS))](data, rng)
    if name.endswith("png") and rng.random() < 0.8:
        data = _with_checksums(data)
    if name.endswith("webp") and rng.random() < 0.8:
        data[4:8] = struct.pack("<I", max(0, len(data) - 8))
    return name, bytes(data)


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """Anywhere, but half of the time within what headers take."""
    reach = len(data) if rng.random() < 0.5 else min(len(data), 600)
    return int(rng.integers(max(1, reach)))


def _flipped(data: bytearray, rng: np.random.Generator) -> bytearray:
    for _ in range(rng.integers(1, 9)):
        at = _place(data, rng)
        data[at : at + 1] = bytes([(data[at] if at < len(data) else 0) ^ (1 << int(rng.integers(8)))])
    return data


def _overwritten(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A lying size or offset: 1, 2, 4 or 8 bytes, in either order."""
    width = int(rng.choice([1, 2, 4, 8]))
    value = SIZES[rng.integers(len(SIZES))] if rng.random() < 0.7 else int(rng.integers(1 << 32))
    order = "little" if rng.random() < 0.5 else "big"
    at = _place(data, rng)
    data[at : at + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, order)  # type: ignore[arg-type]
    return data


def _cut(data: bytearray, rng: np.random.Generator) -> bytearray:
    return data[: _place(data, rng) if rng.random() < 0.5 else len(data) - int(rng.integers(1, 20))]


def _moved(data: bytearray, rng: np.random.Generator) -> bytearray:
    """Pieces exchanged, doubled, taken out or emptied."""
    a, b = sorted((_place(data, rng), _place(data, rng)))
    length = int(rng.integers(1, 200))
    one, other = data[a : a + length], data[b : b + length]
    kind = rng.integers(4)
    if kind == 0 and a + length <= b:
        return data[:a] + other + data[a + length : b] + one + data[b + length :]
    if kind == 1:
        return data[:a] + one * int(rng.integers(2, 6)) + data[a + length :]
    if kind == 2:
        return data[:a] + data[a + length :]
    return data[:a] + bytes(len(one)) + data[a + length :]


def _spliced(data: bytearray, rng: np.random.Generator) -> bytearray:
    """The beginning, or the middle, of another format."""
    files = list(originals().values())
    other = files[rng.integers(len(files))]
    length = int(rng.integers(4, 64))
    if rng.random() < 0.5:
        return bytearray(other[:length]) + data[length:]
    at, start = _place(data, rng), int(rng.integers(max(1, len(other) - length)))
    return data[:at] + other[start : start + length] + data[at:]


def _swollen(data: bytearray, rng: np.random.Generator) -> bytearray:
    """A huge piece of one byte, of noise, or a row of segments."""
    at, size = _place(data, rng), int(rng.integers(1000, 200_000))
    kind = rng.integers(3)
    if kind == 0:
        return data[:at] + bytes([int(rng.integers(256))]) * size + data[at:]
    if kind == 1:
        return data + rng.integers(0, 256, size, dtype=np.uint8).tobytes()
    return data[:2] + b"\xff\xe1\xff\xff" + b"Exif\0\0" + bytes(65527) + data[2:]


_MUTATIONS: tuple[Callable[[bytearray, np.random.Generator], bytearray], ...] = (
    _flipped, _flipped, _overwritten, _overwritten, _overwritten, _cut, _moved, _moved, _spliced, _swollen,
)  # fmt: skip


def _with_checksums(data: bytearray) -> bytearray:
    at = 8
    while at + 12 <= len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        if at + 12 + length > len(data):
            break
        checksum = zlib.crc32(data[at + 4 : at + 8 + length])
        data[at + 8 + length : at + 12 + length] = struct.pack(">I", checksum)
        at += 12 + length
    return data
