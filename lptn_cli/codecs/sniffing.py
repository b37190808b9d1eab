"""What a file is by its first bytes, and the words for those that are no photo lptn reads."""

from __future__ import annotations

from lptn_cli.errors import DecodeError, UnsupportedError

from .formats import Source
from .raw_kinds import TIFF_MAGIC, raw_kind

_EXPORT = "export it as JPEG, PNG or TIFF first"

# (offset, magic, what it is, the remedy)
_OTHERS: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 file", _EXPORT),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 file", _EXPORT),
    (0, b"GIF8", "a GIF file", _EXPORT),
    (0, b"8BPS", "a Photoshop document (PSD)", _EXPORT),
    (0, b"%PDF", "a PDF document", "extract its pictures first"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR file", _EXPORT),
    (0, b"#?RADIANCE", "a Radiance HDR file", _EXPORT),
    (0, b"qoif", "a QOI file", _EXPORT),
    (0, b"\x00\x00\x01\x00", "an icon (ICO)", _EXPORT),
    (0, b"\x1a\x45\xdf\xa3", "a video (Matroska)", "extract frames first"),
    (0, b"\x00\x00\x01\xba", "a video (MPEG)", "extract frames first"),
    (8, b"AVI ", "a video (AVI)", "extract frames first"),
    (0, b"PK\x03\x04", "a ZIP archive", "unpack it first"),
)
_JPEG_XL = (b"\xff\x0a", b"\x00\x00\x00\x0cJXL \r\n\x87\n")
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}


def sniff(data: bytes) -> Source | None:
    """The format by content, or None."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if raw_kind(data):
        return "raw"
    if data[:4] in TIFF_MAGIC:
        return "tiff"
    if data.startswith(_JPEG_XL):
        return "jxl"
    if data[4:8] == b"ftyp":
        brands = brands_of(data)
        return "avif" if brands & _AVIF_BRANDS else "heic" if brands & _HEIF_BRANDS else None
    return None


def named_format(data: bytes) -> Source:
    """`sniff`, but raises UnsupportedError, which names what the file is instead; DecodeError if empty."""
    if not data:
        raise DecodeError("the file is empty; restore it from a backup")
    format = sniff(data)
    if format is None:
        what, remedy = _other(data)
        raise UnsupportedError(f"{what} cannot be read; {remedy}")
    return format


def _other(data: bytes) -> tuple[str, str]:
    if data[4:8] == b"ftyp":
        return "a video or another ISO media file", "extract frames first"
    for offset, magic, what, remedy in _OTHERS:
        if data[offset : offset + len(magic)] == magic:
            return what, remedy
    if data[:2] == b"BM" and data[14:15] in (b"\x0c", b"\x28", b"\x34", b"\x38", b"\x40", b"\x6c", b"\x7c"):
        return "a BMP file", _EXPORT
    if _is_text(data[:512]):
        return "this is not an image: it starts with text, and it", "check the path"
    if not any(data[:512]):
        return "this is not an image: it starts with zeros, and it", "restore it from a backup"
    return (
        "this is not an image of a known format, and it",
        "lptn reads JPEG, PNG, TIFF, WebP, AVIF, HEIC, JPEG XL and camera RAW",
    )


def brands_of(data: bytes) -> set[bytes]:
    """Major and compatible brands of an ISO base media file."""
    size = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12]} | {data[i : i + 4] for i in range(16, min(size, len(data)), 4)}


def _is_text(start: bytes) -> bool:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return True
    try:
        text = start[: max(1, len(start) - 3)].decode("utf-8")  # the cut may split a character
    except UnicodeDecodeError:
        return False
    return all(c.isprintable() or c in "\r\n\t\f\ufeff" for c in text)
