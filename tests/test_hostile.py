"""Small files made to take hours or all memory: each is done, or refused, at once and in little room.

Nothing is timed: what is tested here took minutes to years, or gigabytes, before it was mended.
"""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import imagecodecs
import numpy as np
import pytest

from lptn_cli import codecs
from lptn_cli.codecs import lzw, photoshop, xmp
from lptn_cli.codecs import tiff as codec
from lptn_cli.codecs.avif_boxes import read_still
from lptn_cli.codecs.boxes import BoxError
from lptn_cli.codecs.ifd import EXIF_IFD, GPS_IFD, INTEROP_IFD, Field, pack, read_layout, tree
from lptn_cli.codecs.image import EncodeOptions
from lptn_cli.codecs.samples import from_floats, on_white, unmultiplied, widened
from lptn_cli.errors import DecodeError

from . import codec_samples as samples

HEAD = b"II*\x00\x08\x00\x00\x00"


@contextmanager
def at_most(size: int) -> Iterator[None]:
    """Within it no more bytes than that are held at a time."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < size
    finally:
        tracemalloc.stop()


def test_a_text_in_a_png_that_is_nearly_a_profile() -> None:
    """A regular expression took the square of its length, without a turn for other threads."""
    text = zlib.compress(b"a" + b" 1" * 2_000_000 + b"!")
    header, *rest = samples.png_chunks(samples.saved("PNG"))
    data = samples.png(header, (b"zTXt", b"Raw profile type exif\x00\x00" + text), *rest)
    assert len(data) < 20_000 and codecs.decode(data).metadata.exif is None


def test_xmp_of_elements_in_elements() -> None:
    """Each kept the namespaces of all round it: 8,000 levels were 1.3 GB, 40,000 would have been 30."""
    levels = 40_000
    packet = b"".join(b'<a xmlns:n%x="x">' % n for n in range(levels)) + b"</a>" * levels
    with at_most(20_000_000):
        assert xmp.without_stale(packet) == packet and xmp.without_gps(packet) is None


def test_xmp_of_many_namespaces_and_elements() -> None:
    outer = b"".join(b' xmlns:n%x="x"' % n for n in range(5000))
    packet = b"<a" + outer + b">" + b"".join(b'<b xmlns:m="y" m:c="1"/>' for _ in range(5000)) + b"</a>"
    with at_most(50_000_000):
        assert xmp.without_stale(packet) == packet


def test_words_that_nearly_tell_a_position() -> None:
    assert not xmp.may_tell_position(b"gpsTimeStamp") and xmp.may_tell_position(b"gps" * 100_000 + b"stamp")


def test_an_iptc_record_of_empty_datasets() -> None:
    empty = b"\x1c\x02\x19\x00\x00" * 400_000
    block = photoshop.wrap(empty + b"\x1c\x02\x19\x00\x04here" + bytes(8))
    kept = photoshop.without(block, (), lambda data: b"here" in data)
    assert kept is not None and photoshop.iptc_record(kept) == empty


def test_avif_items_of_pieces_that_take_no_bytes() -> None:
    """1 KB took 7 s."""

    def box(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(body), kind) + body

    places = bytes(6) + struct.pack(">H", 60_000) + struct.pack(">HHH", 1, 0, 65_535) * 60_000
    rows = box(b"pitm", bytes(4) + b"\0\1") + box(b"iloc", places)
    rows += box(b"iprp", box(b"ipco", b"") + box(b"ipma", bytes(8)))
    still = read_still(box(b"ftyp", b"avif\0\0\0\0mif1") + box(b"meta", bytes(4) + rows))
    with pytest.raises(BoxError, match="no size"):
        _ = still.size


def test_a_tiff_of_directories_that_are_one_another() -> None:
    """Every one may name the whole file as each of its values, and came once for each way to it."""
    value, entries = 1_000_000, 60
    links = [(tag, 4, 1, 8) for tag in (EXIF_IFD, GPS_IFD, INTEROP_IFD)]
    rows = sorted([(1000 + n, 7, value, 8) for n in range(entries)] + links)
    table = struct.pack("<H", len(rows)) + b"".join(struct.pack("<HHII", *row) for row in rows) + bytes(4)
    data = (HEAD + table).ljust(8 + value, b"\0")
    with at_most(400_000_000):
        content = tree(data, 8, read_layout(data))
    assert sum(len(row.value) for row in content if isinstance(row.value, bytes)) == value * entries
    assert not any(isinstance(row.value, tuple) for row in content)


def test_the_directories_that_belong_below_one_another_stay() -> None:
    inner = (Field(INTEROP_IFD, 4, 1, (Field(1, 2, 4, b"R98\0"),)),)
    position = Field(GPS_IFD, 4, 1, (Field(1, 2, 2, b"N\0"),))  # some writers put it below EXIF
    content = (Field(EXIF_IFD, 4, 1, (position, *inner)), position)
    data = HEAD + pack(content, 8, "<")
    assert tree(data, 8, read_layout(data)) == content


def tiff(width: int, height: int, *more: Field, compression: int = 1) -> bytes:
    numbers = {256: width, 257: height, 258: 8, 259: compression, 262: 1, 277: 1}
    rows = [Field(tag, 4, 1, struct.pack("<I", value)) for tag, value in numbers.items()]
    return HEAD + pack([*rows, *more], 8, "<")


def test_a_jpeg_whose_scan_has_no_header() -> None:
    data = samples.saved("JPEG")
    at = data.index(b"\xff\xda")
    with pytest.raises(DecodeError, match="a scan without its header"):
        codecs.decode(data[: at + 2] + b"\x00\x02" + data[at + 4 :])


def test_a_jpeg_of_more_scans_than_a_photo_has() -> None:
    """Each further one, of 60 bytes, took as long as the whole picture."""
    data = samples.saved("JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    assert codecs.decode(data).pixels.size
    with pytest.raises(DecodeError, match="more scans than a photo has"):
        codecs.decode(data[:last] + data[last:-2] * 600 + data[-2:])


def in_lzw(stream: bytes, size: tuple[int, int], *more: Field) -> bytes:
    """A grey picture of one strip."""

    def whole(at: int) -> bytes:
        place = [Field(273, 4, 1, struct.pack("<I", at)), Field(279, 4, 1, struct.pack("<I", len(stream)))]
        return tiff(size[1], size[0], *place, *more, compression=5)

    return whole(len(whole(0))) + stream


@pytest.mark.parametrize("low_bits_first", [False, True])
def test_lzw_that_names_what_its_table_has_not(low_bits_first: bool) -> None:
    """imagecodecs reads where nothing is: a segmentation fault ended the whole run."""
    pixels = np.random.default_rng(1).integers(0, 40, (64, 90)).astype(np.uint8)
    step = -1 if low_bits_first else 1
    turned = bytes(int(f"{byte:08b}"[::step], 2) for byte in range(256))
    more = [Field(266, 3, 1, struct.pack("<H", 2))] if low_bits_first else []
    stream = bytes(imagecodecs.lzw_encode(pixels.tobytes()))
    assert (codecs.decode(in_lzw(stream.translate(turned), (64, 90), *more)).pixels[..., 0] == pixels).all()
    codes = int.from_bytes(stream[:3], "big")
    assert codes >> 15 == 256  # a Clear code; what follows names a place far beyond it
    stream = (256 << 15 | 508 << 6 | codes & 63).to_bytes(3, "big") + stream[3:]
    with pytest.raises(DecodeError, match="lzw"):
        codecs.decode(in_lzw(stream.translate(turned), (64, 90), *more))


@pytest.mark.parametrize("levels", [2, 40, 256])
def test_lzw_streams_are_sound_wherever_they_end(levels: int) -> None:
    noise = np.random.default_rng(2)
    for size in (1, 2, 254, 255, 300, 3000, 70_000):
        stream = bytes(imagecodecs.lzw_encode(noise.integers(0, levels, size).astype(np.uint8).tobytes()))
        for part in (stream, stream[: len(stream) // 2], stream[:-1]):
            assert lzw.is_sound(part)


def test_lzw_that_compresses_nothing_is_sound() -> None:
    """Bytes alone, and a Clear code before codes get wider."""
    codes = [code for n in range(0, 100_000, 253) for code in (256, *(k % 256 for k in range(n, n + 253)))]
    bits = "".join(f"{code:09b}" for code in [*codes, 257])
    assert lzw.is_sound(int(bits.ljust(-(-len(bits) // 8) * 8, "0"), 2).to_bytes(-(-len(bits) // 8), "big"))


def of_before_tiff_6(codes: list[int]) -> bytes:
    bits, number, place = 0, 0, 258
    for code in codes:
        width = 9 + sum(place >= size for size in (512, 1024, 2048))
        number |= code << bits
        bits += width
        place = 257 if code == 256 else place + 1
    return number.to_bytes((bits + 7) // 8, "little")


def test_lzw_of_the_form_before_tiff_6() -> None:
    pixels = np.random.default_rng(3).integers(0, 256, 5000).tolist()
    codes = [256, *pixels[:2000], 256, *pixels[2000:], 257]
    stream = of_before_tiff_6(codes)
    assert lzw.is_sound(stream) and list(imagecodecs.lzw_decode(stream, out=5000)) == pixels
    codes[2002] = 300  # behind the second Clear code
    assert not lzw.is_sound(of_before_tiff_6(codes))


def test_lzw_of_nothing_but_clear_codes() -> None:
    assert not lzw.is_sound(int("100000000" * 800_000, 2).to_bytes(900_000, "big"))


def test_a_tile_far_larger_than_its_picture() -> None:
    """1 megapixel took 426 MB."""
    tile = [Field(322, 4, 1, struct.pack("<I", 104_080)), Field(323, 4, 1, struct.pack("<I", 4096))]
    place = [Field(324, 4, 1, struct.pack("<I", 8)), Field(325, 4, 1, struct.pack("<I", 20))]
    with pytest.raises(DecodeError, match="tiles of impossible size"):
        codecs.decode(tiff(100_000, 10, *tile, *place), max_pixels=2_000_000)


def test_pages_whose_directories_overlap() -> None:
    """Each of a chain four bytes apart claims 60,000 entries: an hour for a megabyte."""
    first = bytearray(samples.file("tiff"))
    entries, pages = 60_000, 20_000
    at = len(first) + len(first) % 2
    first = first.ljust(at, b"\0")
    reach = 2 + 12 * entries + 4
    body = bytearray(struct.pack("<H", entries) * ((reach + 12 * pages) // 2))
    for page in range(pages):  # the link of each directory is where another one's entries are
        end = 12 * page + reach - 4
        struct.pack_into("<I", body, end, at + 12 * (page + 1))
    assert first[:2] == b"II"
    place = struct.unpack_from("<I", first, 4)[0]
    count = struct.unpack_from("<H", first, place)[0]
    struct.pack_into("<I", first, place + 2 + 12 * count, at)
    data = bytes(first + body)
    assert codecs.decode(data).pixels.size
    assert codec._page_count(data, codec._first_page(data)) == (1, False)


PLANES = np.random.default_rng(0).integers(0, 65536, (3000, 400, 4)).astype(np.uint16)


def test_what_is_done_to_samples_needs_little_besides_the_result() -> None:
    pixels, alpha = np.ascontiguousarray(PLANES[..., :3]), np.ascontiguousarray(PLANES[..., 3])
    image = replace(samples.image(dtype=np.uint16), pixels=pixels, alpha=alpha)
    floats = PLANES.astype(np.float32) / 65535
    narrow, count = PLANES >> 4, alpha.size
    with at_most(8 * count):
        laid = on_white(image)
    with at_most(10 * count):
        levels, _ = from_floats(floats)
    with at_most(10 * count):
        wider = widened(narrow, 12)
    with at_most(11 * count):
        divided = unmultiplied(PLANES)
    with at_most(16 * count):  # the file of random numbers is as large as they are
        codecs.encode(replace(image, alpha=None), EncodeOptions("png", depth=8))
    assert np.array_equal(levels, PLANES)
    assert np.array_equal(wider, np.rint(narrow / 4095 * 65535))
    wide = PLANES.astype(np.uint64)
    wanted = (wide[..., :3] * wide[..., 3:] + 65535 * (65535 - wide[..., 3:]) + 32767) // 65535
    assert np.array_equal(laid, wanted)
    shares = (wide[..., :3] * 65535 + wide[..., 3:] // 2) // np.maximum(wide[..., 3:], 1)
    assert np.array_equal(divided[..., :3], np.minimum(shares, 65535))
