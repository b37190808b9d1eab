"""What one run does to every photo."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from lptn_cli import __version__
from lptn_cli.codecs.formats import LOSSLESS
from lptn_cli.errors import UsageError
from lptn_cli.photos import shown
from lptn_cli.plan import Job
from lptn_cli.preset import Preset

if TYPE_CHECKING:  # numpy, which a dry run must not wait for
    from lptn_cli.codecs.image import MetadataPolicy, Subsampling

PIXELS_VERSION = 9  # raised whenever the same settings give other pixels, so that finished photos are redone
WITHOUT_EFFECT = ("keep_times", "overwrite", "max_megapixels")  # on pixels and encoding


@dataclass(frozen=True)
class Settings:
    """What one run does to every photo; each field as its option of `lptn retouch`."""

    preset: Preset
    strength: float
    light: float | None = None
    color: float | None = None
    quality: int = 95
    subsampling: Subsampling = "auto"
    depth: Literal["auto", 8, 16] = "auto"
    metadata: MetadataPolicy = "keep"
    keep_times: bool = False
    overwrite: bool = False
    max_megapixels: float = 250.0

    @property
    def described(self) -> str:
        """The look in words: the preset and how far it goes."""
        said = [f"preset {self.preset.name}", f"strength {self.strength:g}"]
        said += [f"light {self.light:g}"] if self.light is not None else []
        said += [f"color {self.color:g}"] if self.color is not None else []
        return ", ".join(said)

    @property
    def editor(self) -> str:
        """What a photo's history names: the program and the look."""
        return f"lptn {__version__} ({self.described})"

    def key(self, job: Job) -> str:
        """A hash over everything that changes the pixels or the encoding of this photo.

        The version of lptn, which the photo's history names, is not in it: PIXELS_VERSION says what counts.
        """
        said = {name: value for name, value in vars(self).items() if name not in WITHOUT_EFFECT}
        preset = self.preset
        variant = (
            preset.native_scale,
            preset.padding,
            preset.normalization,
            preset.output,
            preset.detail_colour,
            preset.keeps_grey,
        )
        said["preset"] = (preset.sha256, *variant, preset.name)
        said["format"], said["version"] = job.format, PIXELS_VERSION
        if job.written_as in LOSSLESS:
            del said["quality"], said["subsampling"]
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def check_depth(depth: Literal["auto", 8, 16], jobs: Sequence[Job]) -> None:
    """Raise UsageError when 16 bits are asked of a format that holds 8."""
    for job in jobs if depth == 16 else ():
        format = job.written_as
        if format and format not in LOSSLESS:
            raise UsageError(
                f"{shown(job.photo.path)} would become {format}, which holds 8 bits a channel; "
                "use --format png or tiff with --depth 16"
            )
