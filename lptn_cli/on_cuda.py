"""A photo on an NVIDIA GPU from upload to download, and the look between its two passes as one CUDA graph.

Workers share a GPU: each photo has a stream to itself, so that the copies of one run beside the kernels of
another, through pinned memory that torch keeps and lends again. Without a GPU all but streams, pinned memory
and graphs runs on the CPU too, which is how it is tested.
"""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from subprocess import SubprocessError
from typing import Any

import numpy as np
import torch
from torch import Tensor
from triton.errors import TritonError

from lptn_cli.affine import Affine, FloatImage
from lptn_cli.codecs.image import Pixels
from lptn_cli.errors import first_line
from lptn_cli.finish import small_size
from lptn_cli.finish_cuda import finish, shrink
from lptn_cli.network import LPTN
from lptn_cli.orientation import turn_back, turn_upright
from lptn_cli.strength import affine

# One for each size of the small image, strength and orientation that is common, the first so many: each holds
# some 20 MB, and in a folder of ever other sizes to capture takes longer than to go without.
GRAPHS = 32
COMMON = 3  # photos of one size, strength and orientation, before that becomes a graph
_CAPTURING = threading.Lock()  # torch allows one capture at a time in a process
WARM_UPS = 3  # before a capture, as CUDA's libraries set themselves up in their first calls


def trouble_compiling(device: torch.device) -> str:
    """Why Triton cannot build its kernels for that GPU: it calls a C compiler and ptxas, which fail in ways
    of their own. Nothing, if it can."""
    try:
        OnCUDA(np.zeros((4, 4, 3), np.uint8), device).shrunk(2)
    except TritonError as error:  # shows the code first
        return (str(error).strip() or type(error).__name__).splitlines()[-1]
    except (SubprocessError, RuntimeError, OSError) as error:
        return first_line(error)
    return ""


class OnCUDA:
    """A photo in the memory of a GPU, for its two passes (translate.Placed); small images stay there."""

    def __init__(self, pixels: Pixels | Tensor, device: torch.device) -> None:
        """pixels: (H, W, 3) uint8 or uint16, copied before this returns; a tensor is there already."""
        if isinstance(pixels, Tensor):
            self.pixels = pixels
        else:
            source = torch.from_numpy(pixels)
            self.pixels = _pinned_like(source, device).copy_(source).to(device, non_blocking=True)

    def shrunk(self, short_side: int) -> Tensor:
        return shrink(self.pixels, *small_size(tuple(self.pixels.shape), short_side))

    def preview(self, short_side: int) -> Pixels:
        """The photo shrunk, if it is larger, in this machine's memory: (h, w, 3) uint8."""
        levels = (self.shrunk(short_side) * 255).round().to(torch.uint8)
        pixels: Pixels = levels.cpu().numpy()
        return pixels

    def looked_at(self, look: Affine[Tensor] | Affine[FloatImage]) -> OnCUDA:
        """The photo with the look, enlarged: it stays on the GPU."""
        device = self.pixels.device
        return OnCUDA(finish(self.pixels, look.mapped(partial(_placed, device=device))), device)

    def finished(self, look: Affine[Tensor] | Affine[FloatImage]) -> Pixels:
        result = self.looked_at(look).pixels
        device = result.device
        here = _pinned_like(result, device).copy_(result, non_blocking=True)
        if device.type == "cuda":
            torch.cuda.current_stream(device).synchronize()
        pixels: Pixels = here.numpy()  # keeps the pinned memory until it goes
        return pixels


class LookOnCUDA:
    """The look between the two passes: network, strength and fit, nothing of which leaves the GPU.

    half: convolutions in half precision, all else in float32; 99.9 % of an 8-bit result's values differ by at
    most one level. keeps_grey: a photo without colour stays without.
    """

    def __init__(self, network: LPTN, *, half: bool, keeps_grey: bool = False) -> None:
        device = next(network.parameters()).device
        computed = partial(_computed, network, half, keeps_grey)  # not of self: graphs go when a look goes
        self._work = Graphs(computed) if device.type == "cuda" else computed

    def affine(self, small: Tensor, light: float, color: float, orientation: int) -> Affine[Tensor]:
        """The look for every place of the small image as stored, (h, w, 3) float32 sRGB."""
        return self._work(small, light, color, orientation)


@torch.inference_mode()
def _computed(
    network: LPTN, half: bool, keeps_grey: bool, small: Tensor, light: float, color: float, orientation: int
) -> Affine[Tensor]:
    upright = turn_upright(small, orientation).permute(2, 0, 1)[None]
    with torch.autocast(small.device.type, torch.float16, enabled=half, cache_enabled=False):
        translation = network.translate(upright)
    look = _as_stored(translation.image, orientation)
    gain, recolouring = (
        None if image is None else _as_stored(image, orientation)
        for image in (translation.gain, translation.recolouring)
    )
    gain = torch.ones_like(look[..., :1]) if gain is None else gain
    result = affine(small, look, gain, recolouring, light, color)
    return result.grey_as(small) if keeps_grey else result


def _placed(image: Tensor | FloatImage, device: torch.device) -> Tensor:
    return torch.as_tensor(image, device=device).contiguous()


def _as_stored(image: Tensor, orientation: int) -> Tensor:  # (1, c, h, w) -> (h, w, c) float32
    return turn_back(image[0].permute(1, 2, 0).float(), orientation)


def _pinned_like(like: Tensor, device: torch.device) -> Tensor:
    """Memory of this machine that the GPU copies to and from by itself; torch reuses what is let go."""
    return torch.empty(like.shape, dtype=like.dtype, pin_memory=device.type == "cuda")


class Streams:
    """The streams of one GPU that photos take in turn: as many as there are photos on it at once, as each
    keeps memory of its own for the next one."""

    def __init__(self) -> None:
        self._idle: deque[torch.cuda.Stream] = deque()

    @contextmanager
    def use(self, device: torch.device) -> Iterator[None]:
        """Work of this thread within goes to a stream of the GPU that is its alone, and is done when this
        ends."""
        if device.type != "cuda":
            yield
            return
        try:
            stream = self._idle.pop()
        except IndexError:
            stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        with torch.cuda.stream(stream):
            try:
                yield
            finally:  # memory that is not torch's (jpeg_on_cuda) may go then
                stream.synchronize()
                self._idle.append(stream)


@dataclass
class _Graph:
    graph: Any
    image: Tensor  # its input, filled anew before every replay
    results: Affine[Tensor]
    done: torch.cuda.Event


class Graphs:
    """A function of an image as CUDA graphs: all its kernels start with one call, instead of one by one.

    A graph has memory of its own, so replays follow one another on the GPU, whichever stream they are on. To
    capture one stops all work on the GPU, which pays for sizes that come again and again.
    """

    def __init__(self, function: Callable[..., Affine[Tensor]]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._kept: dict[tuple[object, ...], _Graph] = {}
        self._seen: Counter[tuple[object, ...]] = Counter()
        self._side: torch.cuda.Stream | None = None

    @torch.inference_mode()  # a graph captured in it takes copies to its input in it alone
    def __call__(self, image: Tensor, *constants: float) -> Affine[Tensor]:
        key = (tuple(image.shape), *constants)
        with self._lock:
            if one := self._graph(key, image, *constants):
                stream = torch.cuda.current_stream(image.device)
                stream.wait_event(one.done)
                one.image.copy_(image)
                one.graph.replay()
                results = one.results.mapped(torch.clone)
                one.done.record(stream)
                return results
        return self._function(image, *constants)

    def _graph(self, key: tuple[object, ...], image: Tensor, *constants: float) -> _Graph | None:
        """The graph for that key; None while it is rare, where there are enough, or where a capture fails."""
        if key not in self._kept:
            self._seen[key] += 1
            if self._seen[key] < COMMON or len(self._kept) >= GRAPHS:
                return None
            try:
                with _CAPTURING:
                    self._kept[key] = self._captured(image, *constants)
            except RuntimeError:  # work of others came between: later, perhaps
                self._seen[key] = 0
                return None
        return self._kept[key]

    def _captured(self, image: Tensor, *constants: float) -> _Graph:
        held = image.clone()
        if self._side is None:  # of the pool of high priority: no photo is ever given a stream of that
            self._side = torch.cuda.Stream(image.device, priority=-1)  # type: ignore[no-untyped-call]
        self._side.wait_stream(torch.cuda.current_stream(image.device))
        with torch.cuda.stream(self._side):
            for _ in range(WARM_UPS):
                self._function(held, *constants)
        self._side.synchronize()
        graph = torch.cuda.CUDAGraph()
        # thread_local: other workers go on allocating and copying meanwhile.
        with torch.cuda.graph(graph, stream=self._side, capture_error_mode="thread_local"):
            results = self._function(held, *constants)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        return _Graph(graph, held, results, done)
