"""What goes round the pixels, made fit for a changed picture: the policy, stale previews, the orientation."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from . import exif, jpeg_segments, photoshop, png_chunks, xmp
from .exif_gps import without_gps
from .icc import is_grey, of_grey, profile_of
from .image import EncodeOptions, Image, Metadata
from .thumbnail import renewed
from .xmp_history import with_edit

_COLOUR_CHUNKS = frozenset({b"sRGB", b"gAMA", b"cHRM", b"cICP"})


def prepared(image: Image, options: EncodeOptions) -> Metadata:
    """The metadata to write with the picture.

    "keep": everything byte for byte but for what shows or announces the picture as it was: the thumbnail in
    EXIF is made anew, others go, and so does word of gain maps; the history in XMP names `options.editor`.
    "no-gps": also without the position; a block in which it cannot be found for sure is dropped whole, and so
    are vendors' JPEG segments. "none": only what the picture needs to look right: profile and orientation. A
    grey profile becomes one of the same tones for RGB in a picture that became colour.
    """
    metadata = image.metadata
    icc = metadata.icc
    if icc is not None and is_grey(icc) and not (image.grey and options.format != "webp"):
        icc = of_grey(icc)  # WebP holds no grey
    hide = options.metadata == "no-gps"
    if icc is None and not image.grey and (options.metadata == "none" or (hide and _exif_goes(metadata))):
        icc = profile_of(replace(metadata, icc=None))  # the EXIF that goes may be all that says Adobe RGB
    if options.metadata == "none":
        turned = exif.minimal(metadata.orientation) if metadata.orientation != 1 else None
        colour = tuple(c for c in metadata.chunks if c[0] in _COLOUR_CHUNKS)
        return Metadata(exif=turned, icc=icc, orientation=metadata.orientation, chunks=colour)
    after = replace(
        metadata,
        icc=icc,
        exif=_exif(image, hide),
        xmp=_xmp(metadata.xmp, hide, options.editor),
        iptc=_iptc(metadata.iptc, hide),
        comments=tuple(c for c in metadata.comments if not (hide and xmp.may_tell_position(c))),
        chunks=png_chunks.without_position(metadata.chunks) if hide else metadata.chunks,
    )
    if not metadata.segments:
        return after
    return replace(after, segments=jpeg_segments.synchronised(metadata.segments, after, known_only=hide))


def left_out(image: Image, options: EncodeOptions) -> str:
    """What does not come along, worded to follow the file's name; "" if all does that should.

    Many programs write the same to XMP and EXIF, which every format holds.
    """
    name, said = options.format.upper(), []
    alpha = image.alpha if options.format == "jpeg" else None
    if alpha is not None and alpha.min() < np.iinfo(alpha.dtype).max:
        said.append(f"is laid on white where it is transparent, which {name} cannot be")
    parts = ["saved selection"] if image.selection is not None and options.format != "tiff" else []
    if options.metadata != "none" and options.format in ("webp", "avif"):
        parts += ["IPTC"] if photoshop.iptc_record(image.metadata.iptc or b"") else []
        parts += ["comment"] if image.metadata.comments else []
    if options.metadata != "none" and options.format != "png":
        texts = png_chunks.of_the_author(image.metadata.chunks)
        parts += [f"texts ({', '.join(texts)})"] if texts else []
    if parts:
        said.append(f"loses its {' and '.join(parts)}, which {name} cannot hold")
    if options.metadata == "no-gps" and _exif_goes(image.metadata):
        said.append("loses its EXIF, in which the position cannot be found for sure")
    return "; ".join(said)


def _exif_goes(metadata: Metadata) -> bool:
    """Whether "no-gps" drops the block whole."""
    return metadata.exif is not None and without_gps(metadata.exif) is None


def _exif(image: Image, hide: bool) -> bytes | None:
    block = image.metadata.exif
    if block is not None and hide:
        block = without_gps(block)
    if block is not None:
        block = renewed(block, image)
    return exif.with_orientation(block, image.metadata.orientation)


def _xmp(packet: bytes | None, hide: bool, editor: str) -> bytes | None:
    if packet is not None:
        packet = xmp.without_stale(packet)
    if packet is not None and hide:
        packet = xmp.without_gps(packet)
    return with_edit(packet, editor) if editor else packet


def _iptc(block: bytes | None, hide: bool) -> bytes | None:
    if block is None:
        return None
    unwanted = photoshop.THUMBNAILS | photoshop.HIDDEN_METADATA if hide else photoshop.THUMBNAILS
    cleaned = photoshop.without(block, unwanted, xmp.may_tell_position if hide else None)
    return block if cleaned is None and not hide else cleaned or None
