"""Camera RAW through LibRaw (rawpy, the extra `raw`), developed to 16 bits of sRGB. It is read, not written.

Developed plainly: the camera's white balance, the sensor's white as white, the curve of sRGB, no automatic
brightness; so it is often darker and flatter than the camera's own JPEG, which has a tone curve of its maker.
`metadata` is what still holds of a developed picture, see `raw_exif`.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from lptn_cli.errors import UnsupportedError

from .damage import damaged
from .icc import srgb
from .image import Header, Image
from .raw_exif import developed
from .raw_kinds import dng_defect, raw_kind
from .samples import split

if TYPE_CHECKING:
    from rawpy import RawPy

_broken = partial(damaged, "RAW")

# LibRaw's flip: 1 mirrors across, 2 down, 4 swaps the axes. To EXIF's orientation.
_ORIENTATIONS = (1, 2, 4, 3, 5, 8, 6, 7)
# White is what the camera's model says. A photo whose brightest value is a little below takes that as white,
# as sensors that clip early would have pink clouds; LibRaw's own choice, 0.75, brightens by up to a third.
_CLIPS_FROM = 0.9
_MOST_BORDER = 2  # the sensor has masked pixels round the picture, but not as many as pixels in it


def read_header(data: bytes) -> Header:
    """Raises DecodeError; UnsupportedError for a RAW LibRaw does not know, or where the extra is missing."""
    with _opened(data) as raw:
        return Header("raw", raw.sizes.iwidth, raw.sizes.iheight)


def decode(data: bytes) -> Image:
    """Raises DecodeError, UnsupportedError."""
    with _opened(data) as raw:
        orientation = _ORIENTATIONS[raw.sizes.flip & 7]  # before user_flip, which changes it
        samples = raw.postprocess(
            use_camera_wb=True,
            no_auto_bright=True,
            adjust_maximum_thr=_CLIPS_FROM,
            gamma=(2.4, 12.92),
            output_bps=16,
            user_flip=0,
        )
    if samples.ndim != 3 or samples.shape[2] not in (1, 3):
        raise UnsupportedError("it is a RAW of rare colours; develop it to TIFF in a RAW converter first")
    pixels, _, grey = split(samples)
    height, width = pixels.shape[:2]
    metadata, note = developed(data, width, height, orientation, srgb())
    return Image(pixels, "raw", grey=grey, metadata=metadata, note=note)


@contextmanager
def _opened(data: bytes) -> Iterator[RawPy]:
    """The file with its header read; what LibRaw raises in the block becomes a PhotoError."""
    try:
        import rawpy
    except ImportError:
        kind = raw_kind(data)
        raise UnsupportedError(
            f"a camera RAW file ({kind}) needs a library that is not there; pip install 'lptn[raw]'"
        ) from None
    if raw_kind(data) == "DNG" and (defect := dng_defect(data)):
        raise _broken(defect)
    try:
        with rawpy.imread(io.BytesIO(data)) as raw:
            sizes = raw.sizes
            if not sizes.iwidth or not sizes.iheight:
                raise _broken("its header says 0 pixels")
            if sizes.raw_width * sizes.raw_height > _MOST_BORDER * sizes.iwidth * sizes.iheight + (1 << 20):
                raise _broken("two sizes")
            yield raw
    except (rawpy.LibRawFileUnsupportedError, rawpy.LibRawNotImplementedError, rawpy.NotSupportedError):
        kind = raw_kind(data)
        raise UnsupportedError(
            f"a camera RAW file ({kind}) of an unknown kind; develop it to TIFF in a RAW converter first"
        ) from None
    except (rawpy.LibRawUnsufficientMemoryError, rawpy.LibRawTooBigError):
        raise MemoryError from None
    except rawpy.LibRawError as error:
        said = error.args[0] if error.args else error
        raise _broken(said.decode("utf-8", "replace") if isinstance(said, bytes) else said) from None
