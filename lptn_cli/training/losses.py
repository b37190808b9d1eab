"""Losses for looks learned without pairs. Images are (n, 3, h, w) RGB in [0, 1]; results may leave the range.

sliced_wasserstein   the results' small patches, as a whole, are distributed like the target's
structure            luminance keeps its local pattern
new_edges            nothing appears where the photo is flat: no blotches, no banding
colour_noise         colour gets no finer detail than the photo's own
out_of_range         nothing is left to be clipped
to_guide             each pixel, and the mean of each neighbourhood, is what the guide wants
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.luma import luma_of_planes as luma

WINDOW = 9  # pixels, of the local correlation
PATCH = 3  # pixels
POSITION = 1.5  # weight of the vertical position in a patch: skies are above
QUARTER = 4
NEIGHBOURHOOD = 16
EDGE = 0.03  # a gradient of the photo that allows as large a one in the result


def sliced_wasserstein(result: Tensor, target: Tensor, generator: torch.Generator, directions: int) -> Tensor:
    """Distance between the patches of two batches, averaged over random projections and three scales.

    Rabin et al. (2011), on 3x3 patches of RGB and vertical position at a quarter, an eighth and a sixteenth
    of the size; at a quarter every second patch each way. Both batches have one shape.
    """
    total = result.new_zeros(())
    pooled = [F.avg_pool2d(image, QUARTER) for image in (result, target)]
    for stride in (2, 1, 1):
        kernels = torch.randn(directions, 4, PATCH, PATCH, generator=generator).to(result)
        kernels = kernels / kernels.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
        projected = [_project(image, kernels, stride) for image in pooled]
        total = total + (projected[0] - projected[1]).abs().mean()
        pooled = [F.avg_pool2d(image, 2) for image in pooled]
    return total / 3


def _project(image: Tensor, kernels: Tensor, stride: int) -> Tensor:
    """Sorted projections of all patches, (directions, patches)."""
    n, _, h, w = image.shape
    rows = torch.linspace(0, POSITION, h, device=image.device).view(1, 1, h, 1).expand(n, 1, h, w)
    values = F.conv2d(torch.cat([image, rows], dim=1), kernels, stride=stride)
    return values.transpose(0, 1).flatten(1).sort(dim=1).values


def structure(photo: Tensor, result: Tensor, stride: int = 2) -> Tensor:
    """1 - mean local correlation of luminance over windows of 9 pixels, at every `stride`-th one."""
    return 1 - local_correlation(luma(photo), luma(result), stride).mean()


def local_correlation(a: Tensor, b: Tensor, stride: int = 2, least: float = 1e-4) -> Tensor:
    """Pearson correlation in windows of 9 pixels, at every `stride`-th one; flat ones give 1.

    a, b: (n, 1, h, w). least: the variance that counts as flat, (2.5 / 255)^2. Returns (n, 1, h', w').
    """
    mean_a, mean_b, squares_a, squares_b, products = _window_mean(
        torch.cat([a, b, a * a, b * b, a * b], dim=1), stride
    ).chunk(5, dim=1)
    spread_a = (squares_a - mean_a * mean_a).clamp(min=0) + least
    spread_b = (squares_b - mean_b * mean_b).clamp(min=0) + least
    covariance: Tensor = products - mean_a * mean_b + least
    return covariance / (spread_a * spread_b).sqrt()


def local_variance(image: Tensor) -> Tensor:
    """Variance in the windows of `local_correlation`."""
    return (_window_mean(image * image) - _window_mean(image) ** 2).clamp(min=0)


def _window_mean(image: Tensor, stride: int = 2) -> Tensor:
    return F.avg_pool2d(image, WINDOW, stride)


def new_edges(photo: Tensor, result: Tensor) -> Tensor:
    """Mean gradient of the result, weighted by how flat the photo is there, at steps of 1 to 24 pixels.

    The step of one pixel is taken on luminance, the others on images a quarter of the size: they look for
    clouds, not for grain.
    """
    coarse = F.avg_pool2d(photo, QUARTER), F.avg_pool2d(result, QUARTER)
    steps = [(luma(photo), luma(result), 1)] + [(*coarse, step) for step in (1, 2, 6)]
    total = result.new_zeros(())
    for before, after, step in steps:
        for dim in (2, 3):
            there = _difference(before, step, dim).abs().amax(1, keepdim=True)
            total = total + (_difference(after, step, dim).abs() * torch.exp(-there / EDGE)).mean()
    return total / (2 * len(steps))


def to_guide(result: Tensor, wanted: Tensor) -> Tensor:
    """L1 between pixels plus L1 between means over 16 pixels: a cast is worse than many small errors."""
    error = result - wanted
    return error.abs().mean() + F.avg_pool2d(error, NEIGHBOURHOOD).abs().mean()


def _difference(image: Tensor, step: int, dim: int) -> Tensor:
    length = image.shape[dim] - step
    return image.narrow(dim, step, length) - image.narrow(dim, 0, length)


def colour_noise(photo: Tensor, result: Tensor) -> Tensor:
    """Mean fine colour detail of the result beyond that of the photo."""

    def detail(image: Tensor) -> Tensor:
        colour = image - luma(image)
        coarse = F.avg_pool2d(colour, QUARTER, ceil_mode=True, count_include_pad=False)
        h, w = colour.shape[2:]
        return (colour - F.interpolate(coarse, scale_factor=float(QUARTER))[..., :h, :w]).abs()

    return (detail(result) - detail(photo)).clamp(min=0).mean()


def out_of_range(result: Tensor) -> Tensor:
    """Mean square of what lies below 0 or above 1."""
    return (result - result.clamp(0, 1)).square().mean()
