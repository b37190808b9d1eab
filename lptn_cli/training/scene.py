"""What is where in a photo, by simple rules: sky, vegetation, warm light, relief. For the guides alone.

Images are (n, 3, h, w) RGB in [0, 1]; regions are (n, 1, h, w), 0 (not there) to 1 (there), with soft edges.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.luma import luma_of_planes as luma

COARSE = (60, 80)  # size at which the sky is looked for
SWEEPS = 160  # how far the sky spreads from the top edge, in coarse pixels
FAR = 9.0


@dataclass(frozen=True)
class Scene:
    """A photo and its regions, each computed when first asked for."""

    photo: Tensor  # (n, 3, h, w)

    @cached_property
    def light(self) -> Tensor:
        return luma(self.photo)

    @cached_property
    def base(self) -> Tensor:
        """Luminance without its detail."""
        return blur(self.light, 5)

    @property
    def detail(self) -> Tensor:
        return self.light - self.base

    @cached_property
    def texture(self) -> Tensor:
        """Mean strength of the finest detail nearby."""
        return blur((self.light - blur(self.light, 1)).abs(), 5)

    @cached_property
    def height(self) -> Tensor:
        """0 at the top row, 1 at the bottom row."""
        n, _, h, w = self.photo.shape
        return torch.linspace(0, 1, h, device=self.photo.device).view(1, 1, h, 1).expand(n, 1, h, w)

    @cached_property
    def ratio(self) -> Tensor:
        """Colour without brightness: RGB over luminance, finite in black."""
        return self.photo / self.light.clamp(min=0.03)

    @cached_property
    def colourful(self) -> Tensor:
        """Saturation of HSV."""
        high = self.photo.amax(1, keepdim=True)
        return (high - self.photo.amin(1, keepdim=True)) / high.clamp(min=0.05)

    @cached_property
    def warm(self) -> Tensor:
        """Orange, yellow and red."""
        r, g, b = self.photo.chunk(3, dim=1)
        return smoothstep(r - b, 0.08, 0.35) * smoothstep(r - 0.9 * g, 0, 0.08)

    @cached_property
    def vegetation(self) -> Tensor:
        """Green and yellow-green, dark greens too; not turquoise water, not the sky."""
        r, g, b = self.photo.chunk(3, dim=1)
        g1 = g.clamp(min=0.04)
        green = smoothstep((g - b) / g1, 0.06, 0.26) * smoothstep((g - 0.95 * r) / g1, -0.05, 0.05)
        turquoise = smoothstep(b / g1, 0.45, 0.65) * (1 - smoothstep(r / g1, 0.3, 0.55))
        return green * (1 - turquoise) * smoothstep(g, 0.03, 0.1) * (1 - self.sky)

    @cached_property
    def town(self) -> Tensor:
        """Where edges run level and upright, as on houses; on rocks and in woods they run every way."""
        across, down = _slopes(self.light)
        steep = (across.square() + down.square()).sqrt()
        # cos of four times the angle: 1 on level and upright edges, -1 on diagonal ones
        axial = (across**4 - 6 * across.square() * down.square() + down**4) / (steep**4 + 1e-8)
        axial = blur(steep * axial, 8) / (blur(steep, 8) + 1e-4)
        upright = (blur(across.abs(), 8) + 1e-4) / (blur(down.abs(), 8) + 1e-4)
        balance = torch.minimum(upright, 1 / upright)  # waves and horizons are level alone
        texture = blur((self.light - blur(self.light, 1)).abs(), 8)
        bare = 1 - self.sky
        green = blur(self.vegetation, 4)
        sure = (
            smoothstep(axial, 0.05, 0.22) * smoothstep(texture, 0.02, 0.04) * smoothstep(balance, 0.35, 0.6)
        )
        sure = sure * bare * (1 - 1.5 * green).clamp(min=0)
        near = smoothstep(blur(sure, 10), 0.05, 0.3) * smoothstep(texture, 0.015, 0.035)
        near = near * bare * (1 - 1.2 * green).clamp(min=0)
        water = smoothstep(blur(self.photo[:, 2:] - self.photo[:, :1], 3), 0.04, 0.14)
        any_town = smoothstep(sure.mean((2, 3), keepdim=True), 0.03, 0.08)
        no_wood = 1 - smoothstep(self.vegetation.mean((2, 3), keepdim=True), 0.3, 0.5)
        return near * (1 - 0.7 * water) * any_town * no_wood

    @cached_property
    def sky(self) -> Tensor:
        """By day: what the top edge reaches over smooth, blue or pale pixels."""
        small = F.interpolate(self.photo, COARSE, mode="area")
        r, g, b = small.chunk(3, dim=1)
        light = luma(small)
        middle = light.flatten(1).median(1).values.view(-1, 1, 1, 1)
        green = (g - b).clamp(min=0) + 0.5 * (g - r).clamp(min=0) * (g > b)
        brown = (r - b - 0.12).clamp(min=0)
        dark = ((middle + 0.05).clamp(max=0.45) - light).clamp(min=0)
        cost = 0.02 + 6 * (green - 0.02).clamp(min=0) + 1.5 * brown + 2.5 * dark
        cost = cost + 14 * (_coarse_grain(self.light, 1) - 0.012).clamp(min=0)
        found = 1 - smoothstep(_way_from_top(small, cost, 2.0), 1.1, 2.0)
        return self._at_full_size(found, self.light, 8, 1e-3)

    @cached_property
    def night_sky(self) -> Tensor:
        """By night: what the top edge reaches over smooth or starry pixels that are neither warm nor, unless
        they are cool as northern lights are, brighter than the top."""
        starless = -F.max_pool2d(-self.photo, 3, stride=1, padding=1)
        lifted, light = luma(_lifted(starless)), luma(_lifted(self.photo))
        small, colours = (
            F.interpolate(image, COARSE, mode="area") for image in (_lifted(starless), starless)
        )
        red, green_or_blue = colours[:, :1], colours[:, 1:].amax(1, keepdim=True)
        cool = 1 - smoothstep(red / green_or_blue.clamp(min=0.02), 0.45, 0.8)
        top = luma(small)[:, :, : COARSE[0] // 5].flatten(1).quantile(0.35, dim=1).view(-1, 1, 1, 1)
        cost = 0.01 + 1.5 * (red - colours[:, 2:] - 0.06).clamp(min=0)
        cost = cost + 0.8 * (luma(small) - top - 0.12).clamp(min=0) * (1 - 0.8 * cool)
        cost = cost + 10 * (_coarse_grain(lifted, 1) - 0.012).clamp(min=0)
        cost = cost + 2.5 * (_coarse_grain(light, 2) - 0.04).clamp(min=0)
        found = 1 - smoothstep(_way_from_top(small, cost, 1.6 * (1 - 0.6 * cool)), 0.7, 1.3)
        found = 1 - _on_the_ground(1 - found)  # lamps and the moon float: they are gone by day
        sure = smoothstep(self._at_full_size(found, light, 6, 4e-4), 0.15, 0.85)
        return sure * (1 - smoothstep(self.height, 0.6, 0.9))

    @cached_property
    def winter_sky(self) -> Tensor:
        """Over snow, as bright and smooth as a sky: what is nearer to the top edge than to the bottom edge,
        by a way that costs more over edges and texture (geodesic segmentation: Bai & Sapiro, 2009)."""
        small = F.interpolate(self.photo, COARSE, mode="area")
        r, g, b = small.chunk(3, dim=1)
        light = luma(small)
        middle = light.flatten(1).median(1).values.view(-1, 1, 1, 1)
        green = (g - b).clamp(min=0) * (g > r) + 0.5 * (g - r).clamp(min=0) * (g > b)
        dark = ((middle + 0.05).clamp(max=0.45) - light).clamp(min=0) * (1 - smoothstep(b - r, 0.05, 0.15))
        rough = 0.02 + 14 * (_coarse_grain(self.light, 1) - 0.012).clamp(min=0)
        top = _way_from_top(small, rough + 2.5 * dark + 6 * (green - 0.02).clamp(min=0), 2.0)
        bottom = _way_from_top(small.flip(2), rough.flip(2), 2.0).flip(2)
        height = torch.linspace(0, 1, COARSE[0], device=small.device).view(1, 1, -1, 1)
        nearer = bottom / (top + bottom + 1e-4) + 0.6 * (0.45 - height)
        found = smoothstep(nearer, 0.42, 0.58) * (1 - smoothstep(top, 2.0, 3.5))
        return self._at_full_size(found, self.light, 8, 1e-3)

    def _at_full_size(self, found: Tensor, guide: Tensor, radius: int, epsilon: float) -> Tensor:
        rough = F.interpolate(found, self.photo.shape[2:], mode="bilinear", align_corners=False)
        return follow_edges(guide, rough, radius, epsilon).clamp(0, 1)

    @cached_property
    def horizon(self) -> Tensor:
        """Height at which the sky ends, at least a quarter: (n, 1, 1, 1)."""
        rows = self.sky.mean(3, keepdim=True) > 0.35
        return rows.float().mean(2, keepdim=True).clamp(min=0.25)


def _slopes(light: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences across and down."""
    around = F.pad(light, (1, 1, 1, 1), mode="reflect")
    across = (around[:, :, 1:-1, 2:] - around[:, :, 1:-1, :-2]) / 2
    return across, (around[:, :, 2:, 1:-1] - around[:, :, :-2, 1:-1]) / 2


def _way_from_top(small: Tensor, cost: Tensor, crossing: Tensor | float) -> Tensor:
    """Shortest way from the top edge to each coarse pixel (n, 1, h, w), where a step costs `cost`, and
    `crossing` times the edge it crosses."""
    weight = torch.as_tensor(crossing, device=small.device).expand_as(cost)
    across = weight[..., 1:] * (small[..., 1:] - small[..., :-1]).abs().amax(1, keepdim=True)
    down = weight[:, :, 1:] * (small[:, :, 1:] - small[:, :, :-1]).abs().amax(1, keepdim=True)
    way = torch.full_like(F.pad(cost, (1, 1, 1, 1)), FAR)
    way[:, :, 0, 1:-1] = 0
    inner = way[:, :, 1:-1, 1:-1]
    for _ in range(SWEEPS):
        steps = torch.stack(
            [
                way[:, :, :-2, 1:-1] + F.pad(down, (0, 0, 1, 0)),
                way[:, :, 2:, 1:-1] + F.pad(down, (0, 0, 0, 1)) + 0.05,
                way[:, :, 1:-1, :-2] + F.pad(across, (1, 0)),
                way[:, :, 1:-1, 2:] + F.pad(across, (0, 1)),
            ]
        )
        inner.copy_(torch.minimum(inner, steps.amin(0) + cost))
    return inner


def _on_the_ground(there: Tensor) -> Tensor:
    """Less of what is all around surrounded by nothing, (n, 1, h, w): what hangs together with the sides or
    the bottom stays. Morphological reconstruction (Vincent, 1993)."""
    inside = torch.ones_like(there)
    inside[:, :, :-1, 1:-1] = 0
    reached = there * inside
    for _ in range(SWEEPS):
        reached = torch.minimum(F.max_pool2d(reached, 3, stride=1, padding=1), there)
    return reached


def _lifted(image: Tensor) -> Tensor:
    """What is dark told apart, as eyes do that have got used to the night."""
    return (image + 0.002).sqrt()


def _coarse_grain(light: Tensor, radius: int) -> Tensor:
    return F.interpolate((light - blur(light, radius)).abs(), COARSE, mode="area")


def smoothstep(value: Tensor, low: float, high: float) -> Tensor:
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def mix(a: Tensor, b: Tensor, weight: Tensor | float) -> Tensor:
    return a + (b - a) * weight


def tint(photo: Tensor, *rgb: float) -> Tensor:
    """A colour as (1, 3, 1, 1), on the photo's device."""
    return photo.new_tensor(rgb).view(1, 3, 1, 1)


def blur(image: Tensor, radius: int) -> Tensor:
    """Twice the mean over windows of 2 radius + 1 pixels: close to a Gaussian of that standard deviation."""
    return _mean(_mean(image, radius), radius)


def follow_edges(guide: Tensor, image: Tensor, radius: int = 8, epsilon: float = 1e-3) -> Tensor:
    """Guided filter (He, Sun & Tang, 2010): `image` with the edges of the one-channel `guide`."""
    of_guide, of_image = _mean(guide, radius), _mean(image, radius)
    covariance = _mean(guide * image, radius) - of_guide * of_image
    a = covariance / (_mean(guide * guide, radius) - of_guide.square() + epsilon)
    b = of_image - a * of_guide
    return _mean(a, radius) * guide + _mean(b, radius)


def _mean(image: Tensor, radius: int) -> Tensor:
    """Mean over windows, rows then columns, those beyond the border left out."""
    for kernel in ((2 * radius + 1, 1), (1, 2 * radius + 1)):
        padding = (kernel[0] // 2, kernel[1] // 2)
        image = F.avg_pool2d(image, kernel, 1, padding, count_include_pad=False)
    return image
