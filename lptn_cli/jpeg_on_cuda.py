"""The scans of JPEGs to pixels in the memory of an NVIDIA GPU, and back: nvImageCodec, the extra `lptn[gpu]`.

Chroma is enlarged linearly and turned into RGB by JFIF's matrix, as libjpeg-turbo does it. nvImageCodec's CPU
backend, with which all of this runs without a GPU too, gives exactly its pixels (seven 4K photos; what it
does is libjpeg-turbo); how near those of a GPU are, benchmarks/gpu.py measures.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.dlpack import from_dlpack

from lptn_cli.codecs.image import Chroma

PROBE = (48, 64, 3)
FAILURES = (RuntimeError, ValueError, BufferError)  # of CUDA, of nvImageCodec, of its memory in torch


@cache
def scan_codec(device: torch.device) -> ScanCodec | None:
    """What decodes and encodes there; None without nvImageCodec, and where it does not work."""
    try:
        codec = ScanCodec(device)
        return codec if _works(codec) else None
    except (ImportError, OSError, RuntimeError):
        return None


class ScanCodec:
    """A decoder and an encoder for any number of threads; their work joins torch's current stream.

    Both give None where nvImageCodec cannot: it says no more than that, and the caller has another codec.
    """

    def __init__(self, device: torch.device) -> None:
        """Raises ImportError, OSError or RuntimeError: nvImageCodec is missing or cannot work there."""
        self.device = device
        self._nv = _library()
        kinds = self._nv.BackendKind
        # Not the hardware decoder (HW_GPU_ONLY), whose chroma nobody promises to be interpolated
        on_gpu = [kinds.GPU_ONLY, kinds.HYBRID_CPU_GPU]
        self._backends = on_gpu if device.type == "cuda" else [kinds.CPU_ONLY]
        self._as_stored = self._nv.DecodeParams(
            apply_exif_orientation=False, color_spec=self._nv.ColorSpec.SRGB
        )
        self._idle = deque([self._made()])  # a pair serves one thread at a time

    def decode(self, scans: bytes) -> Tensor | None:
        """(H, W, 3) uint8 RGB as stored, never rotated; nvImageCodec's memory, free when it goes."""
        try:
            with self._pair() as (decoder, _):
                stream = self._nv.CodeStream(scans)
                image = decoder.decode(stream, params=self._as_stored, cuda_stream=self._stream())
            if image is None:
                return None
            on_gpu = self.device.type == "cuda"  # torch takes CPU memory of other libraries from NumPy alone
            pixels = from_dlpack(image) if on_gpu else torch.from_numpy(np.asarray(image))
        except FAILURES:
            return None
        return pixels.contiguous() if pixels.dtype == torch.uint8 and pixels.shape[2:] == (3,) else None

    def encode(self, pixels: Tensor, quality: int, subsampling: Chroma) -> bytes | None:
        """A baseline JPEG of (H, W, 3) uint8 RGB, without metadata; all work on the pixels is done then."""
        nv = self._nv
        params = nv.EncodeParams(
            quality_type=nv.QualityType.QUALITY,
            quality_value=quality,
            chroma_subsampling=getattr(nv.ChromaSubsampling, f"CSS_{subsampling}"),
        )
        try:
            source = nv.as_image(pixels if pixels.is_cuda else pixels.numpy(), self._stream())
            with self._pair() as (_, encoder):
                encoded = encoder.encode(source, "jpeg", params=params, cuda_stream=self._stream())
            return None if encoded is None else bytes(encoded)
        except FAILURES:
            return None

    @contextmanager
    def _pair(self) -> Iterator[tuple[Any, Any]]:
        try:
            pair = self._idle.pop()
        except IndexError:
            pair = self._made()
        yield pair
        self._idle.append(pair)  # not after an error, when nobody knows its state

    def _made(self) -> tuple[Any, Any]:
        """A decoder and an encoder, each with memory and a stream of its own on the GPU."""
        nv = self._nv
        place = nv.NVIMGCODEC_DEVICE_CPU_ONLY
        if self.device.type == "cuda":
            place = torch.cuda.current_device() if self.device.index is None else self.device.index
        given = {"device_id": place, "max_num_cpu_threads": 1, "backends": [*map(nv.Backend, self._backends)]}
        return nv.Decoder(**given, options=":fancy_upsampling=1"), nv.Encoder(**given)

    def _stream(self) -> int:
        return torch.cuda.current_stream(self.device).cuda_stream if self.device.type == "cuda" else 0


def told() -> str:
    """What `lptn doctor` says of it."""
    try:
        version = _library().__version__
    except (ImportError, OSError, RuntimeError) as error:
        missing = isinstance(error, ModuleNotFoundError)
        return "missing; pip install 'lptn[gpu]'" if missing else f"does not load ({error})"
    devices = [torch.device("cuda", n) for n in range(torch.cuda.device_count())]
    works = ", ".join(f"{'works' if scan_codec(one) else 'does not work'} on {one}" for one in devices)
    return f"nvImageCodec {version}, {works or 'no NVIDIA GPU'}"


@cache
def _library() -> Any:
    """nvImageCodec, loaded in silence: it complains on stderr of codecs of other formats that it lacks."""
    os.environ.setdefault("PYNVIMGCODEC_VERBOSITY", "0")
    stderr = os.dup(2)
    try:
        with Path(os.devnull).open("wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        return import_module("nvidia.nvimgcodec")
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)


def _works(codec: ScanCodec) -> bool:
    """Whether a small picture comes back as it went."""
    down, along = torch.meshgrid(*(torch.linspace(0, 255, side) for side in PROBE[:2]), indexing="ij")
    picture = torch.stack([down, along, 255 - down], 2).to(torch.uint8).to(codec.device)
    for subsampling in ("444", "422", "420"):
        scans = codec.encode(picture, 95, subsampling)
        again = codec.decode(scans) if scans else None
        if again is None or again.shape != PROBE or (again.float() - picture.float()).abs().mean() > 4:
            return False
    return True
