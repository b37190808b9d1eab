"""Which camera a RAW file is of, by its content: many are like a TIFF whose first page is a thumbnail."""

from __future__ import annotations

from .ifd import Ifd, IfdError, read_ifd, read_layout

TIFF_MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_MAGIC = (  # offset, magic, kind
    (8, b"CR\x02\x00", "CR2"),
    (6, b"HEAPCCDR", "CRW"),
    (0, b"FUJIFILMCCD-RAW", "RAF"),
    (0, b"IIRO", "ORF"),
    (0, b"IIRS", "ORF"),
    (0, b"MMOR", "ORF"),
    (0, b"IIU\x00", "RW2"),
    (0, b"\x00MRM", "MRW"),
    (0, b"FOVb", "X3F"),
)
_MAKERS = {
    b"NIK": "NEF",
    b"SON": "ARW",
    b"PEN": "PEF",
    b"RIC": "PEF",
    b"SAM": "SRW",
    b"Has": "3FR",
    b"KOD": "DCR",
    b"Can": "TIF",
}
_DNG_VERSION, _MAKE, _SUB_IFDS, _NEW_SUBFILE, _PHOTOMETRIC, _COMPRESSION = 50706, 271, 330, 254, 262, 259
_STRIPS, _STRIP_SIZES, _TILES, _TILE_SIZES, _JPEG = 273, 279, 324, 325, 7
_CFA, _LINEAR_RAW = 32803, 34892
_SENSOR_COMPRESSIONS = (32767, 34713)  # Sony's and Nikon's


def raw_kind(data: bytes) -> str | None:
    """DNG, CR2, NEF, ...; None if the file holds no sensor data."""
    if data[4:12] == b"ftypcrx ":
        return "CR3"
    for offset, magic, kind in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return kind
    directories = _directories(data)
    if not directories:
        return None
    first = directories[0]
    if first.get(_DNG_VERSION):
        return "DNG"
    thumbnail = first.get(_SUB_IFDS) and first.integer(_NEW_SUBFILE, 0) & 1
    if thumbnail or any(map(_holds_sensor_data, directories)):
        maker = first.get(_MAKE)
        return _MAKERS.get(maker.value[:3] if maker else b"", "built like a TIFF")
    return None


def dng_defect(data: bytes) -> str:
    """What keeps LibRaw from reading a DNG whole, though it does not always say so; empty for a sound one."""
    for ifd in filter(_holds_sensor_data, _directories(data)):
        starts, sizes = ifd.get(_STRIPS) or ifd.get(_TILES), ifd.get(_STRIP_SIZES) or ifd.get(_TILE_SIZES)
        if starts is None or sizes is None or starts.count != sizes.count:
            return "no list of its strips"
        pairs = zip(starts.integers(), sizes.integers(), strict=False)
        if any(start + size > len(data) for start, size in pairs):
            return "it ends early"
        if ifd.get(_STRIPS) and starts.count > 1 and ifd.integer(_COMPRESSION, 1) == _JPEG:
            return "packed in strips, of which only the first would be read"
    return ""


def _directories(data: bytes) -> list[Ifd]:
    """The first one and those beside and below it; none if the data is no TIFF."""
    if data[:4] not in TIFF_MAGIC:
        return []
    try:
        layout = read_layout(data)
        first = read_ifd(data, layout.first, layout)
    except IfdError:
        return []
    subs = first.get(_SUB_IFDS)
    found = [first]
    for place in (first.next, *(subs.integers()[:16] if subs else ())):
        try:
            found.append(read_ifd(data, place, layout))
        except IfdError:
            continue
    return found


def _holds_sensor_data(ifd: Ifd) -> bool:
    colours, compression = ifd.integer(_PHOTOMETRIC, 0), ifd.integer(_COMPRESSION, 1)
    return colours in (_CFA, _LINEAR_RAW) or compression in _SENSOR_COMPRESSIONS
