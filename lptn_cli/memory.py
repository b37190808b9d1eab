"""Running out of memory, whoever runs out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from lptn_cli.errors import OUT_OF_MEMORY, NoMemoryError
from lptn_cli.finish import OpenCVError

# As torch, cuDNN, cuBLAS and OpenCV say it; an illegal memory access is another matter.
OUT_OF_SPACE = re.compile(
    r"out of memory|not enough memory|insufficient memory|allocate|alloc_failed"
    r"|unable to find an engine",  # cuDNN, that no way to compute has room to work in
    re.IGNORECASE,
)


@contextmanager
def memory_told() -> Iterator[None]:
    """Out of memory is NoMemoryError, whoever ran out: NumPy, OpenCV, or torch on either device."""
    try:
        yield
    except (MemoryError, torch.OutOfMemoryError) as error:
        raise NoMemoryError(OUT_OF_MEMORY) from error
    except (RuntimeError, OpenCVError) as error:
        if not OUT_OF_SPACE.search(str(error)):
            raise
        raise NoMemoryError(OUT_OF_MEMORY) from error
