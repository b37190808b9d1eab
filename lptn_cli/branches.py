"""The two branches of LPTN: the networks that translate the low-frequency component and mask the detail.

Names of attributes are those of the published checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lptn_cli.preset import DetailColour, Normalization, Output, Padding

QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)


@dataclass(frozen=True)
class Variant:
    """What the weights cannot say. The defaults are the published network."""

    padding: Padding = "zeros"
    normalization: Normalization = "instance"
    output: Output = "tanh"
    detail_colour: DetailColour = "kept"  # faded, recoloured: as the low-frequency component is


PUBLISHED = Variant()


class ResidualBlock(nn.Module):
    def __init__(self, channels: int, padding: Padding) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding),
            nn.LeakyReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, padding_mode=padding),
        )

    def forward(self, x: Tensor, modulation: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """modulation: a gain and an offset, (N, C, 1, 1) each, of what the first convolution finds."""
        if modulation is None:
            return x + self.block(x)  # type: ignore[no-any-return]
        gain, offset = modulation
        found = self.block[0](x)
        return x + self.block[1:](found + found * gain + offset)  # type: ignore[no-any-return]


class Context(nn.Module):
    """How the whole photo bears on each place: a gain and an offset for the channels of each residual block.

    Convolutions of 3x3 hardly see from one side of a photo to the other, and whether a place is too dark
    depends on all others. Feature-wise linear modulation (Perez et al., AAAI 2018) by the mean and standard
    deviation of what the first layers found in the low-frequency component, and by the photo's tones, which
    that cannot show: leaves that are white and black are grey in it.
    """

    def __init__(self, blocks: int, channels: int = 64, hidden: int = 96) -> None:
        super().__init__()
        self.blocks = blocks
        self.layers = nn.Sequential(
            _Linear(2 * channels + 3 * len(QUANTILES), hidden),
            nn.LeakyReLU(),
            _Linear(hidden, hidden),
            nn.LeakyReLU(),
            _Linear(hidden, blocks * 2 * channels),
        )

    def forward(self, x: Tensor, image: Tensor) -> Sequence[tuple[Tensor, Tensor]]:
        """Found (N, C, h, w), the photo (N, 3, H, W) -> gain and offset of each block, (N, C, 1, 1)."""
        variance, mean = torch.var_mean(x.float(), dim=(2, 3), correction=0)
        said = self.layers(torch.cat([mean, (variance + 1e-4).sqrt(), _tones(image.float())], dim=1))
        parts = said[:, :, None, None].chunk(2 * self.blocks, dim=1)
        return list(zip(parts[::2], parts[1::2], strict=True))


class _Linear(nn.Linear):
    """Of one photo plain arithmetic: cuBLAS works in memory that all CUDA graphs of a thread share, and that
    torch frees with the first of them that goes (pytorch #193402)."""

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > 1 or torch.is_grad_enabled():
            return super().forward(x)
        return (self.weight * x).sum(1)[None] + self.bias


def _tones(image: Tensor) -> Tensor:
    """Quantiles of every seventh pixel of (N, 3, H, W), from -1 for 0 to 1 for 1: (N, 21)."""
    ordered = image.flatten(2)[:, :, ::7].sort(dim=2).values
    last = ordered.shape[2] - 1
    tones = torch.stack([ordered[:, :, round(share * last)] for share in QUANTILES], dim=2)
    return 2 * tones.flatten(1) - 1


class TransLow(nn.Module):
    """Translates the low-frequency component (paper, section 3.2)."""

    def __init__(self, nrb_low: int, variant: Variant, context: bool) -> None:
        super().__init__()
        p = variant.padding
        self.bounded = variant.output == "tanh"
        self.model = nn.Sequential(
            nn.Conv2d(3, 16, 3, padding=1, padding_mode=p),
            nn.InstanceNorm2d(16) if variant.normalization == "instance" else nn.Identity(),
            nn.LeakyReLU(),
            nn.Conv2d(16, 64, 3, padding=1, padding_mode=p),
            nn.LeakyReLU(),
            *(ResidualBlock(64, p) for _ in range(nrb_low)),
            nn.Conv2d(64, 16, 3, padding=1, padding_mode=p),
            nn.LeakyReLU(),
            nn.Conv2d(16, 3, 3, padding=1, padding_mode=p),
        )
        self.context = Context(nrb_low) if context else None

    def forward(self, low: Tensor, image: Tensor) -> Tensor:
        """The low-frequency component (N, 3, h, w) of the photo (N, 3, H, W) -> the same translated."""
        context = self.context
        translated = low + (self._in_context(low, context, image) if context else self.model(low))
        return torch.tanh(translated) if self.bounded else translated

    def _in_context(self, low: Tensor, context: Context, image: Tensor) -> Tensor:
        layers = list(self.model)
        first = next(n for n, layer in enumerate(layers) if isinstance(layer, ResidualBlock))
        x = self.model[:first](low)
        said = iter(context(x, image))
        for layer in layers[first:]:
            x = layer(x, next(said)) if isinstance(layer, ResidualBlock) else layer(x)
        return x  # type: ignore[no-any-return]


class TransHigh(nn.Module):
    """Predicts the mask at the coarsest high-frequency level; carries it to the finer ones (section 3.3)."""

    def __init__(self, nrb_high: int, num_high: int, mask_channels: int, variant: Variant) -> None:
        super().__init__()
        p = variant.padding
        self.model = nn.Sequential(
            nn.Conv2d(9, 64, 3, padding=1, padding_mode=p),
            nn.LeakyReLU(),
            *(ResidualBlock(64, p) for _ in range(nrb_high)),
            nn.Conv2d(64, mask_channels, 3, padding=1, padding_mode=p),
        )
        for i in range(num_high):  # the published names, one attribute a level, coarsest first
            block = nn.Sequential(
                nn.Conv2d(mask_channels, 16, 1), nn.LeakyReLU(), nn.Conv2d(16, mask_channels, 1)
            )
            setattr(self, f"trans_mask_block_{i}", block)

    def block(self, i: int) -> nn.Module:
        return getattr(self, f"trans_mask_block_{i}")  # type: ignore[no-any-return]
