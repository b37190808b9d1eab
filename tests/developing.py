"""Camera JPEGs and where they are developed, for the tests of both ways from bytes to bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lptn_cli import codecs
from lptn_cli.codecs.image import EncodeOptions, Image
from lptn_cli.develop import Devices
from lptn_cli.photos import Photo
from lptn_cli.plan import Job
from lptn_cli.translate import Retoucher
from tests import codec_samples as samples
from tests.conftest import photo

SHAPE = (70, 99)


def few_cores(look: Retoucher) -> Devices:
    """Where JPEGs are the GPU's."""
    return Devices([look], cores=4)


def job(name: str = "a.jpg", output: str = "out/a.jpg", format: Any = None) -> Job:
    return Job(1, Photo(Path(name), Path(name), 0, 0), Path(output), format)


def camera(orientation: int = 6, **options: Any) -> bytes:
    """A JPEG as a camera writes it, its thumbnail included."""
    metadata = samples.full_metadata(orientation, exif=samples.exif_block(orientation), icc=None)
    image = Image(photo(*SHAPE), "jpeg", subsampling="420", metadata=metadata)
    return codecs.encode(image, EncodeOptions("jpeg", **options))
