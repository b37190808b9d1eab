"""LPTN, the Laplacian Pyramid Translation Network (Liang, Zeng, Zhang, CVPR 2021, arXiv 2105.09188).

Two published forms, told apart by the number of channels of the mask:
    released    3 channels; level i gives block_i(high * mask + high)   (the authors' code and checkpoint)
    paper       1 channel;  mask = block_i(enlarge(mask)), level i gives high * mask  (a flat area stays flat)

Either may have a `branches.Context`, which is ours: what the whole photo is like bears on every place.

The weights say all of that and every size. What they do not say (how borders are padded, whether the
translation network normalises over the image, what bounds its output, what colour detail gets) is
`branches.Variant`; a preset's TOML states it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lptn_cli.branches import PUBLISHED, Context, ResidualBlock, TransHigh, TransLow, Variant
from lptn_cli.errors import PresetError
from lptn_cli.luma import luma_of_planes, recoloured
from lptn_cli.pyramid import decompose, reconstruct

# The authors' training code kept the last mask block as an attribute too, so their checkpoints hold it twice.
ALIAS_KEYS = tuple(f"trans_high.trans_mask_block.{n}.{p}" for n in (0, 2) for p in ("weight", "bias"))

STRIP_PIXELS = 1 << 18  # that the blocks of the released form see at once

MOST_LEVELS = 8  # a photo of 240 pixels is one pixel then

DARK = 0.05  # added to luma: the saturation of black is no large number
GREY = 1e-3  # squared saturation below which a place has no colour to lose


Form = Literal["paper", "released"]


@dataclass(frozen=True)
class Translation:
    """What the network makes of (N, 3, H, W): an image, and what became of its finest detail."""

    image: Tensor  # (N, 3, H, W), not clamped
    gain: Tensor | None  # (N, 1, H, W), the mask of the finest level; None in the released form
    recolouring: Tensor | None  # (N, 4, H, W), as of `luma.recoloured`; None: it keeps its colour


class LPTN(nn.Module):
    """The whole network: (N, 3, H, W) RGB in [0, 1] -> the same shape, not clamped (-0.34 to 1.22 seen)."""

    def __init__(
        self,
        nrb_low: int = 5,
        nrb_high: int = 3,
        num_high: int = 3,
        form: Form = "paper",
        variant: Variant = PUBLISHED,
        context: bool = False,
    ) -> None:
        super().__init__()
        self.num_high, self.form, self.variant = num_high, form, variant
        self.trans_low = TransLow(nrb_low, variant, context)
        self.trans_high = TransHigh(nrb_high, num_high, 1 if form == "paper" else 3, variant)

    @property
    def min_side(self) -> int:
        """The smallest side in pixels: two pixels must be left in the low-frequency component."""
        return int(2 ** (self.num_high + 1))

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Tensor], variant: Variant = PUBLISHED) -> LPTN:
        """Build the network that these weights belong to, and load them strictly.

        Raises PresetError when the weights are not those of an LPTN of either form.
        """
        state = {key: value for key, value in state.items() if key not in ALIAS_KEYS}
        nrb_low, nrb_high, num_high, form, context = _sizes(state)
        network = cls(nrb_low, nrb_high, num_high, form, variant, context)
        expected = network.state_dict()
        for key in sorted(expected.keys() | state.keys()):
            if key not in state:
                raise PresetError(f"not the weights of an LPTN: {key} is missing")
            if key not in expected:
                raise PresetError(f"not the weights of an LPTN: {key} is unknown")
            if state[key].shape != expected[key].shape:
                found, wanted = tuple(state[key].shape), tuple(expected[key].shape)
                raise PresetError(f"not the weights of an LPTN: {key} is {found}, not {wanted}")
            if not state[key].isfinite().all():
                raise PresetError(f"the weights are damaged: {key} holds values that are not numbers")
        network.load_state_dict({key: value.float() for key, value in state.items()})
        return network.eval()

    def with_context(self) -> LPTN:
        """This network, given a context that says nothing yet if it has none and blocks to say it to."""
        blocks = sum(isinstance(layer, ResidualBlock) for layer in self.trans_low.model)
        if self.trans_low.context is None and blocks:
            self.trans_low.context = Context(blocks)
            for parameter in self.trans_low.context.layers[-1].parameters():
                nn.init.zeros_(parameter)
        return self

    def forward(self, image: Tensor) -> Tensor:
        return self.translate(image).image

    def translate(self, image: Tensor) -> Translation:
        """The translated image of (N, 3, H, W) RGB in [0, 1], with the gain and recolouring of its detail."""
        highs, low = decompose(image, self.num_high)
        new_low = self.trans_low(low, image)
        size = highs[-1].shape[-2:]
        around = torch.cat(
            [highs[-1], _repeat(low, 2, size), _repeat(new_low, 2, size)], dim=1
        )  # (N, 9, h, w)
        mask = self.trans_high.model(around)
        recolouring = None
        if self.variant.detail_colour != "kept":
            coarse = _recolouring(low, new_low, fully=self.variant.detail_colour == "recoloured")
            each = [_enlarged(coarse, high.shape[-2:]) for high in highs]
            highs = [recoloured(high, change) for high, change in zip(highs, each, strict=True)]
            recolouring = each[0]
        if self.form == "released":
            return Translation(reconstruct(self._adapt_released(highs, mask), new_low), None, recolouring)
        masks = self._paper_masks(highs, mask)
        adapted = [high * mask for high, mask in zip(highs, masks, strict=True)]
        return Translation(reconstruct(adapted, new_low), masks[0], recolouring)

    def _adapt_released(self, highs: list[Tensor], mask: Tensor) -> list[Tensor]:
        adapted = []
        for i, high in enumerate(reversed(highs)):
            mask = _repeat(mask, 2, high.shape[-2:]) if i else mask
            adapted.append(_in_strips(self.trans_high.block(i), high, mask))
        return adapted[::-1]

    def _paper_masks(self, highs: list[Tensor], mask: Tensor) -> list[Tensor]:
        """One mask a level, finest first.

        Blocks are 1x1 and masks are enlarged by repetition, so block(enlarge(m)) == enlarge(block(m)): every
        block runs at the coarsest level.
        """
        masks = []
        for i, high in enumerate(reversed(highs)):
            mask = self.trans_high.block(i)(mask)
            masks.append(_repeat(mask, 2**i, high.shape[-2:]) if i else mask)
        return masks[::-1]


def _recolouring(low: Tensor, new_low: Tensor, *, fully: bool) -> Tensor:
    """What becomes of the colour of detail, for `luma.recoloured`: (N, 4, h, w).

    A mask of one channel can only dim detail: dim green in white is violet, and the blue that detail at the
    edge of a sky takes away leaves red where the sky is orange now. So detail fades as far as its place does;
    and if fully, what of it has the colour of its place gets the new one. Its luma stays.
    """
    new_low = new_low.clamp(0, 1)
    kept = _saturation_kept(low, new_low)
    added = _tint(new_low) - kept * _tint(low) if fully else (1 - kept).expand_as(low)
    return torch.cat([kept, added], dim=1)


def _tint(image: Tensor) -> Tensor:
    """Detail of luma 1 in the colour of each place: (N, 3, h, w), near grey in the dark."""
    return (image + DARK) / (luma_of_planes(image) + DARK)


def _saturation_kept(low: Tensor, new_low: Tensor) -> Tensor:
    """How much of its saturation each place of the low-frequency component keeps: (N, 1, h, w), 0 to 1.

    The least-squares answer over 3x3 windows: grass that turns to snow keeps none, and none is kept by what
    takes the opposite colour.
    """
    before, after = _saturation(low), _saturation(new_low)
    common = _around((before * after).sum(1, keepdim=True))
    own = _around(before.square().sum(1, keepdim=True))
    return ((common + GREY) / (own + GREY)).clamp(0, 1)


def _saturation(image: Tensor) -> Tensor:
    luma = luma_of_planes(image)
    return (image - luma) / (luma + DARK)


def _around(image: Tensor) -> Tensor:
    return F.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)


def _enlarged(image: Tensor, size: torch.Size) -> Tensor:
    return F.interpolate(image, size=size, mode="bilinear", align_corners=False)


def _in_strips(block: nn.Module, high: Tensor, mask: Tensor) -> Tensor:
    """block(high * mask + high), a strip of rows at a time: there is no 16-channel array of a whole photo.

    The blocks are 1x1, so strips are exact. Training, which keeps those arrays anyway, takes one strip.
    """
    rows = high.shape[2] if torch.is_grad_enabled() else max(1, STRIP_PIXELS // high.shape[3])
    parts = zip(torch.split(high, rows, dim=2), torch.split(mask, rows, dim=2), strict=True)
    strips = [block(torch.addcmul(part, part, gain)) for part, gain in parts]
    return strips[0] if len(strips) == 1 else torch.cat(strips, dim=2)


def _repeat(image: Tensor, factor: int, size: torch.Size) -> Tensor:
    """Enlarge by repeating pixels, cropped to `size`: the published nearest neighbour at even sizes."""
    return F.interpolate(image, scale_factor=float(factor), mode="nearest")[:, :, : size[0], : size[1]]


def _sizes(state: Mapping[str, Tensor]) -> tuple[int, int, int, Form, bool]:
    """nrb_low, nrb_high, num_high, the form, whether there is context: by the weights' names and shapes."""

    def count(pattern: str) -> int:
        return len({m.group(1) for key in state if (m := re.match(pattern, key))})

    first_block = state.get("trans_high.trans_mask_block_0.0.weight")
    if first_block is None or first_block.ndim != 4 or first_block.shape[1] not in (1, 3):
        raise PresetError("not the weights of an LPTN: there is no mask block of one or three channels")
    nrb_low = count(r"trans_low\.model\.(\d+)\.block\.")
    num_high = count(r"trans_high\.trans_mask_block_(\d+)\.")
    if num_high > MOST_LEVELS:
        raise PresetError(f"the weights are of {num_high} pyramid levels, more than {MOST_LEVELS}")
    return (
        nrb_low,
        count(r"trans_high\.model\.(\d+)\.block\."),
        num_high,
        "paper" if first_block.shape[1] == 1 else "released",
        nrb_low > 0 and any(key.startswith("trans_low.context.") for key in state),
    )


def channels_last(network: LPTN) -> LPTN:
    """The same network with its weights laid out for images of layout h, w, c: a third faster on CPUs."""
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
