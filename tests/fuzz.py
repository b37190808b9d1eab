"""Damaged photos of every format through decode and encode: each must end in a picture or in a PhotoError.

    python -m tests.fuzz --count 100000 --seed 1 --jobs 2

A case is made of (seed, number) alone, so a find is repeated with --only NUMBER. Cases run in processes of
their own with a limit on memory, so that crashes, hangs and hunger are found too. Ends with 1 after a find.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import queue
import resource
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import PIL.Image
import tifffile

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions, Metadata, MetadataPolicy
from lptn_cli.codecs.raw_exif import developed
from lptn_cli.errors import PhotoError

from . import camera_samples as cameras
from . import codec_samples as samples

MOST_PIXELS = 1_000_000
MEMORY = 1 << 30  # bytes beyond what the libraries take, for photos of a megapixel
SECONDS = 60.0  # a photo of that size takes a fraction of one, but machines are shared
POLICIES: tuple[MetadataPolicy, ...] = ("keep", "no-gps", "none")
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


def outcome(data: bytes, number: int) -> str:
    """`written`, `memory`, the kind of PhotoError, or `BUG ...`."""
    try:
        if codecs.sniff(data) == "raw":  # LibRaw refuses most of these before it comes to that
            developed(data, 8, 8, 1, b"")
        image = codecs.decode(data, max_pixels=MOST_PIXELS)
        target = codecs.WRITTEN_AS[image.format]
        policy = POLICIES[number % 3]
        # AVIF takes its time
        codecs.encode(image, EncodeOptions("png" if target == "avif" else target, metadata=policy))
    except PhotoError as error:
        text = str(error)
        fine = text and "\n" not in text and len(text) < 300
        return error.kind if fine else f"BUG text {text[:400]!r}"
    except MemoryError:
        return "memory"
    except BaseException as error:  # noqa: BLE001  this is what is looked for
        return f"BUG {type(error).__name__}: {error}".replace("\n", " ")[:300]
    return "written"


def work(seed: int, numbers: range) -> None:
    """In a process of its own: a line before each case, and one after it."""
    originals()
    for data in originals().values():  # so that every library is there before the limit is
        with contextlib.suppress(PhotoError):
            codecs.decode(data)
    taken = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    for number in numbers:
        name, data = case(seed, number)
        print(f"{number} {name}", flush=True)
        print(outcome(data, number), flush=True)


@dataclass(frozen=True)
class Find:
    number: int
    name: str
    what: str


def run(count: int, seed: int, jobs: int, first: int = 0) -> tuple[Counter[tuple[str, str]], list[Find]]:
    """(how many cases of each format had each outcome, the finds)."""
    counts: Counter[tuple[str, str]] = Counter()
    finds: list[Find] = []
    results: queue.SimpleQueue[Find | None] = queue.SimpleQueue()
    threads = [
        threading.Thread(target=_watch, args=(seed, range(first + job, first + count, jobs), results))
        for job in range(jobs)
    ]
    for thread in threads:
        thread.start()
    running = jobs
    while running:
        found = results.get()
        if found is None:
            running -= 1
            continue
        counts[found.name.split(".")[-1], found.what.split()[0]] += 1
        if found.what.split()[0] in ("BUG", "crash", "hang"):
            finds.append(found)
            print(f"case {found.number} of {found.name}: {found.what}", file=sys.stderr, flush=True)
    return counts, finds


def _watch(seed: int, numbers: range, results: queue.SimpleQueue[Find | None]) -> None:
    """Run the numbers in a process; a new one goes on behind a case that ended the last."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    while numbers:
        steps = ",".join(map(str, (numbers.start, numbers.stop, numbers.step)))
        command = [sys.executable, "-m", "tests.fuzz", f"--work={steps}", f"--seed={seed}"]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
        )
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=_read, args=(process, lines))
        reader.start()
        number, name = numbers[0], "start"
        wait = 10 * SECONDS  # libraries are loaded, files made
        while True:
            try:
                begun = lines.get(timeout=wait)
                if not begun:
                    if number != numbers[-1]:
                        results.put(Find(number, name, f"crash between cases with {process.wait()}"))
                    break
                number, name = int(begun.split()[0]), begun.split()[1]
                ended = lines.get(timeout=SECONDS)
            except queue.Empty:
                process.kill()
                results.put(Find(number, name, "hang"))
                break
            if not ended:
                results.put(Find(number, name, f"crash with {process.wait()}"))
                break
            results.put(Find(number, name, ended.strip()))
            wait = SECONDS
        process.kill()
        process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()
        numbers = numbers[numbers.index(number) + 1 :]
    results.put(None)


def _read(process: subprocess.Popen[str], lines: queue.SimpleQueue[str]) -> None:
    """Hand the lines over; an empty one is the end."""
    for line in process.stdout or ():
        lines.put(line)
    lines.put("")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int, help="one case, in this process, written to fuzz-case")
    parser.add_argument("--work", help=argparse.SUPPRESS)  # start,stop,step
    options: Any = parser.parse_args()
    if options.work:
        work(options.seed, range(*map(int, options.work.split(","))))
        return 0
    if options.only is not None:
        name, data = case(options.seed, options.only)
        Path("fuzz-case").write_bytes(data)
        print(name, outcome(data, options.only))
        return 0
    began = time.monotonic()
    counts, finds = run(options.count, options.seed, options.jobs, options.first)
    for format in sorted({format for format, _ in counts}):
        row = {what: n for (of, what), n in sorted(counts.items()) if of == format}
        print(f"{format:6}", sum(row.values()), " ".join(f"{what}={n}" for what, n in row.items()))
    print(f"{sum(counts.values())} cases in {time.monotonic() - began:.0f} s, {len(finds)} finds")
    return 1 if finds else 0


if __name__ == "__main__":
    sys.exit(main())
