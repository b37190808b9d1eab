"""Everything about looks: pixels in, pixels out. `Retoucher` is a preset on a device."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from lptn_cli import preset as presets
from lptn_cli.affine import Affine, FloatImage
from lptn_cli.alpha import as_seen
from lptn_cli.branches import Variant
from lptn_cli.codecs.icc import from_srgb, is_srgb, to_srgb
from lptn_cli.codecs.image import Chroma, Pixels
from lptn_cli.cores import CORES
from lptn_cli.device import find_device, kernels, passed_over
from lptn_cli.errors import PresetError, TooSmallError
from lptn_cli.finish import STRIP_ROWS, finish, shrink
from lptn_cli.gamut import steps, with_the_rest
from lptn_cli.jpeg_on_cuda import scan_codec
from lptn_cli.luma import grey_as
from lptn_cli.memory import memory_told
from lptn_cli.network import LPTN, channels_last
from lptn_cli.orientation import turn_back, turn_upright
from lptn_cli.preset import Preset
from lptn_cli.strength import affine, blend

AT_ONCE_ON_CUDA = 3  # one photo on its way in, one in the kernels, one on its way out
PREVIEW = 512  # pixels on the shorter side of what thumbnails are made of, which are 160 on the longer one


class Placed(Protocol):
    """A photo, for its two full-resolution passes (OnCPU, on_cuda.OnCUDA)."""

    def shrunk(self, short_side: int) -> Any:
        """The photo at `finish.small_size`: (h, w, 3) float32 in [0, 1]."""

    def finished(self, look: Affine[Any]) -> Pixels:
        """The look, enlarged, on the photo: a new array of its shape and dtype."""


class OnCPU:
    """A photo in this machine's memory."""

    def __init__(self, pixels: Pixels, threads: int) -> None:
        self.pixels, self.threads = pixels, threads

    def shrunk(self, short_side: int) -> FloatImage:
        return shrink(self.pixels, short_side, self.threads)

    def finished(self, look: Affine[FloatImage]) -> Pixels:
        return finish(self.pixels, look, self.threads)


class Retoucher:
    """A preset's look, ready to be applied to any number of photos.

    >>> look = Retoucher("retouch")
    >>> result = look(pixels)               # (H, W, 3) uint8 or uint16 RGB in, the same shape and type out
    >>> result = look(pixels, strength=0.5)

    preset: a name, the path of a preset's TOML file, or a Preset. device: "auto", "cpu", "cuda" or "cuda:N".
    half: on a GPU, convolutions in half precision. side_by_side: on the CPU, a core for each photo instead of
    all cores for one, which is quicker for many photos in threads; torch is then left with one thread in the
    whole process. Raises UsageError (no such preset), PresetError (its weights are missing or damaged),
    DeviceError. `scans`: what decodes and encodes JPEGs on the GPU for `retouch_jpeg`, or None. `note`: what
    keeps the look from a GPU that is there, or nothing.

    Threads may share one. On the CPU one photo is translated at a time, unless they go side by side; on a GPU
    copies of some photos run beside the kernels of others.
    """

    def __init__(
        self,
        preset: str | Path | Preset,
        device: str = "auto",
        *,
        half: bool = True,
        side_by_side: bool = False,
    ) -> None:
        self.preset = preset if isinstance(preset, Preset) else presets.find(str(preset))
        self.device = find_device(device)
        if self.device.type == "cuda":
            torch.backends.cudnn.allow_tf32 = False  # which has no more digits than half precision
        self._network = channels_last(load_network(self.preset).to(self.device))
        self._on_cuda, self.note = None, passed_over(device)
        if self.device.type == "cuda" and self.preset.native_scale:
            self._on_cuda, trouble = kernels(self.device)
            if trouble:
                self.note = f"on {self.device} the network alone: its kernels do not work ({trouble})"
        self.scans = scan_codec(self.device) if self._on_cuda else None
        if self._on_cuda:
            self._streams = self._on_cuda.Streams()
            self._look_on_cuda = self._on_cuda.LookOnCUDA(
                self._network, half=half, keeps_grey=self.preset.keeps_grey
            )
        side_by_side = side_by_side and self.device.type == "cpu" and self.preset.native_scale is not None
        self._threads = 1 if side_by_side else CORES
        self._lock: AbstractContextManager[object] = nullcontext() if side_by_side else threading.Lock()
        if side_by_side:
            torch.set_num_threads(1)

    @property
    def min_side(self) -> int:
        """Pixels on the shorter side that a photo must have."""
        return self._network.min_side

    @property
    def photos_at_once(self) -> int:
        """How many photos may as well be on the device at once."""
        return AT_ONCE_ON_CUDA if self._on_cuda else CORES // self._threads

    def __call__(
        self,
        pixels: Pixels,
        *,
        strength: float | None = None,
        light: float | None = None,
        color: float | None = None,
        orientation: int = 1,
        icc: bytes | None = None,
        alpha: Pixels | None = None,
    ) -> Pixels:
        """The photo with the look: a new array of the same shape and dtype. From a GPU it is pinned memory,
        of which there is little: copy results that are to stay.

        pixels: (H, W, 3) uint8 or uint16, RGB as stored in the file. strength: 0 (the photo's own values,
        exactly) to 1.5; default the preset's. light, color: the same for brightness and for colour alone;
        default `strength`. orientation: EXIF, 1 to 8; only the small image is turned upright. icc: the file's
        colour profile; only the small image is converted. alpha: (H, W) of the pixels' dtype; what it hides
        has no say in the look. Raises TooSmallError, ValueError for other arrays and orientations.
        """
        _check(pixels, orientation)
        light, color = self._amounts(strength, light, color)
        if light == color == 0:
            return pixels.copy()
        seen = pixels if alpha is None else as_seen(pixels, alpha)
        with self._turn(), memory_told():
            if self.preset.native_scale is None:
                return self._at_full_resolution(pixels, seen, light, color, orientation, icc)
            photo = self.placed(pixels)
            small = (photo if seen is pixels else self.placed(seen)).shrunk(self.preset.native_scale)
            return photo.finished(self.affine(small, light, color, orientation, icc))

    def retouch_jpeg(
        self, scans: bytes, quality: int, subsampling: Chroma, *,
        strength: float | None = None, light: float | None = None, color: float | None = None,
        orientation: int = 1, icc: bytes | None = None,
    ) -> tuple[bytes, Pixels] | None:  # fmt: skip
        """The scans of a JPEG with the look, made on the GPU from end to end, and a preview of the result.

        scans: of `jpeg_scans.apart`. Options and errors as of a call. None where the GPU does not do it:
        without `scans`, at strength 0, which needs the photo's own values, and for what nvImageCodec refuses.
        """
        light, color = self._amounts(strength, light, color)
        native_scale = self.preset.native_scale
        if self.scans is None or self._on_cuda is None or native_scale is None or light == color == 0:
            return None
        with self._turn(), memory_told():
            pixels = self.scans.decode(scans)
            if pixels is None:
                return None
            photo = self._on_cuda.OnCUDA(pixels, self.device)
            look = self.affine(photo.shrunk(native_scale), light, color, orientation, icc)
            result = photo.looked_at(look)
            encoded = self.scans.encode(result.pixels, quality, subsampling)
            return None if encoded is None else (encoded, result.preview(PREVIEW))

    def _amounts(self, strength: float | None, *parts: float | None) -> list[float]:
        """How far each part of the look goes: where it does not say, as all of it. Raises ValueError."""
        strength = self.preset.strength if strength is None else strength
        amounts = [strength if part is None else part for part in parts]
        if not all(0 <= amount <= presets.STRONGEST for amount in amounts):  # nan is within no range
            raise ValueError(f"strength, light and color go from 0 to {presets.STRONGEST:g}, not {amounts}")
        return amounts

    def _turn(self) -> AbstractContextManager[object]:
        """Alone on the CPU, on a stream of one's own on a GPU."""
        return self._streams.use(self.device) if self._on_cuda else self._lock

    def placed(self, pixels: Pixels) -> Placed:
        """The photo where its two full-resolution passes are made: in memory, or on the GPU."""
        packed = np.require(pixels, requirements=("C", "W"))  # else the loops are compiled once more
        if self._on_cuda:
            return self._on_cuda.OnCUDA(packed, self.device)  # type: ignore[no-any-return]
        return OnCPU(packed, self._threads)

    def affine(
        self,
        small: FloatImage | Tensor,
        light: float = 1,
        color: float = 1,
        orientation: int = 1,
        icc: bytes | None = None,
    ) -> Affine[FloatImage] | Affine[Tensor]:
        """The look for every place of the small image, (h, w, 3) float32."""
        self._check_size(small.shape)
        if isinstance(small, Tensor):
            if is_srgb(icc):
                return self._look_on_cuda.affine(small, light, color, orientation)  # type: ignore[no-any-return]
            small = small.cpu().numpy()  # profiles are applied on the CPU
        look, gain, recolouring = self._translate(small, orientation, icc)
        x, y, step = _tensor(small), _tensor(look), None
        if not is_srgb(icc):
            step = _tensor(steps(small, icc))
            gain = gain * _tensor(steps(look, icc)) / step
        result = affine(x, y, gain, recolouring, light, color, step).mapped(Tensor.numpy)
        return result.grey_as(small) if self.preset.keeps_grey else result

    def _check_size(self, shape: Sequence[int]) -> None:
        if min(shape[:2]) < self.min_side:
            raise TooSmallError(f"too small for this preset, which needs {self.min_side} pixels on each side")

    def _translate(
        self, small: FloatImage, orientation: int, icc: bytes | None
    ) -> tuple[FloatImage, Tensor, Tensor | None]:
        """The network on an image as stored in the file: look (h, w, 3), gain (h, w, 1), its recolouring.

        It sees sRGB alone, as it did in training: on the far side of that gamut encoded values go down to -5.
        """
        upright = to_srgb(turn_upright(small, orientation), icc)
        seen = upright.clip(0, 1)
        with torch.inference_mode():
            translation = self._network.translate(_tensor(seen).permute(2, 0, 1)[None].to(self.device))
        look = with_the_rest(_array(translation.image), upright, seen)
        look = turn_back(from_srgb(look, icc), orientation)
        gain, recolouring = (
            None if image is None else turn_back(image[0].permute(1, 2, 0), orientation).cpu()
            for image in (translation.gain, translation.recolouring)
        )
        return look, torch.ones(*look.shape[:2], 1) if gain is None else gain, recolouring

    def _at_full_resolution(
        self, pixels: Pixels, seen: Pixels, light: float, color: float, orientation: int, icc: bytes | None
    ) -> Pixels:
        """The published way: the network sees every pixel. Its look depends on the photo's size."""
        self._check_size(pixels.shape)
        scale = np.float32(np.iinfo(pixels.dtype).max)
        photo = np.divide(pixels, scale, dtype=np.float32)
        shown = photo if seen is pixels else np.divide(seen, scale, dtype=np.float32)
        look, _, _ = self._translate(shown, orientation, icc)
        look = look if seen is pixels else look + (photo - shown)
        look = grey_as(look, photo) if self.preset.keeps_grey else look
        result = np.empty(pixels.shape, pixels.dtype)
        for start in range(0, len(pixels), STRIP_ROWS):  # blending needs several floats a value
            rows = slice(start, start + STRIP_ROWS)
            levels = blend(_tensor(photo[rows]), _tensor(look[rows]), light, color).numpy() * scale
            result[rows] = np.rint(levels.clip(0, scale))
        return result


def load_network(preset: Preset) -> LPTN:
    """The preset's network on the CPU. Raises PresetError: weights missing, damaged, of another network."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = preset.read_weights()
    try:
        state = load(data)
    except SafetensorError as error:
        raise presets.damaged(preset, str(error)) from None
    variant = Variant(preset.padding, preset.normalization, preset.output, preset.detail_colour)
    try:
        network = LPTN.from_state_dict(state, variant)
    except PresetError as error:
        raise PresetError(f"preset {preset.name}, {preset.weights}: {error}") from None
    with torch.inference_mode():
        grey = network(torch.full((1, 3, 2 * network.min_side, 2 * network.min_side), 0.5))
    if not grey.isfinite().all():  # whatever is made with such weights is black
        raise presets.damaged(preset, "what they make of a grey photo is no number")
    return network


def _tensor(image: FloatImage) -> Tensor:  # turned images have strides that torch does not know
    return torch.from_numpy(np.ascontiguousarray(image))


def _array(image: Tensor) -> FloatImage:  # (1, c, h, w) -> (h, w, c)
    return np.ascontiguousarray(image[0].permute(1, 2, 0).cpu().numpy())


def _check(pixels: Pixels, orientation: int) -> None:
    known = pixels.dtype in (np.uint8, np.uint16)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size or not known:
        raise ValueError(f"pixels must be (H, W, 3) uint8 or uint16, not {pixels.shape} {pixels.dtype}")
    if not 1 <= orientation <= 8:
        raise ValueError(f"orientation must be 1 to 8, as EXIF numbers them, not {orientation}")
