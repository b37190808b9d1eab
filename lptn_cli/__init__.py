"""lptn: give a whole folder of photos a new look.

>>> from lptn_cli import Retoucher
>>> look = Retoucher("retouch", device="auto")   # a preset's name or path
>>> result = look(pixels, strength=1.0)          # (H, W, 3) uint8 or uint16 RGB; same shape and type back

Importing the package alone loads nothing heavy: torch comes with the first use of `Retoucher`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lptn_cli.translate import Retoucher as Retoucher

__all__ = ["Retoucher", "__version__"]
__version__ = "0.1.0"

# oneDNN keeps what it compiled for each shape of photo, 1024 of them by default: measured, a folder of 300
# shapes grows the process by 750 MB; 32 costs no visible time. Read when torch first computes.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "32")


def __getattr__(name: str) -> object:
    if name == "Retoucher":
        from lptn_cli.translate import Retoucher

        return Retoucher
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
