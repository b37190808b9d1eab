"""The Laplacian pyramid of Burt & Adelson (1983) as LPTN uses it: closed form, invertible at any size.

Convention (each line pinned by a test of the same name in tests/test_pyramid.py):
    kernel              5-tap binomial (1, 4, 6, 4, 1) / 16, separable; border reflected without the edge
    odd size            a level of n pixels shrinks to ceil(n / 2); enlarging crops to n
    order               `highs` finest first; `low` is what remains
    identity            reconstruct(*decompose(x, n)) == x to float rounding, at any size
For even sizes both directions equal `cv2.pyrDown` and `cv2.pyrUp`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)


def decompose(image: Tensor, num_high: int) -> tuple[list[Tensor], Tensor]:
    """Split an image into `num_high` high-frequency components and the low-frequency component.

    image: (N, C, H, W) float. Returns (highs, low): highs[i] is (N, C, ceil(H / 2^i), ceil(W / 2^i)),
    low is (N, C, ceil(H / 2^num_high), ceil(W / 2^num_high)). LPTN paper, section 3.1.
    """
    highs = []
    for _ in range(num_high):
        smaller = shrink_by_two(image)
        highs.append(image - enlarge_by_two(smaller, image.shape[-2:]))
        image = smaller
    return highs, image


def reconstruct(highs: list[Tensor], low: Tensor) -> Tensor:
    """Invert `decompose`: from the coarsest up, enlarge and add. Shapes as `decompose` returns them."""
    image = low
    for high in reversed(highs):
        image = enlarge_by_two(image, high.shape[-2:]) + high
    return image


def shrink_by_two(image: Tensor) -> Tensor:
    """Smooth and keep every second pixel: (N, C, H, W) -> (N, C, ceil(H/2), ceil(W/2))."""
    return _smooth(image, stride=2)


def enlarge_by_two(image: Tensor, size: torch.Size | tuple[int, int]) -> Tensor:
    """Put zeros between the pixels, smooth with four times the kernel, crop to `size` (H, W)."""
    n, c, h, w = image.shape
    spread = image.new_zeros(n, c, 2 * h, 2 * w)
    spread[:, :, ::2, ::2] = image
    return _smooth(spread, gain=2.0)[:, :, : size[0], : size[1]]


def _smooth(image: Tensor, stride: int = 1, gain: float = 1.0) -> Tensor:
    """Separable binomial filter, rows then columns; `gain` multiplies each of the two passes."""
    channels = image.shape[1]
    kernel = image.new_tensor(BINOMIAL) * gain
    rows = kernel.view(1, 1, 5, 1).expand(channels, 1, 5, 1)
    columns = kernel.view(1, 1, 1, 5).expand(channels, 1, 1, 5)
    image = F.conv2d(_pad_by_two(image), rows, stride=(stride, 1), groups=channels)
    return F.conv2d(image, columns, stride=(1, stride), groups=channels)


def _pad_by_two(image: Tensor) -> Tensor:
    """Reflect two pixels on every side; torch's own padding refuses sides of one or two pixels."""
    h, w = image.shape[-2:]
    if min(h, w) > 2:
        return F.pad(image, (2, 2, 2, 2), mode="reflect")
    return image[:, :, _reflected(h, image.device)][:, :, :, _reflected(w, image.device)]


def _reflected(n: int, device: torch.device) -> Tensor:
    """Indices -2 .. n+1 reflected into 0 .. n-1 without repeating the edge."""
    if n == 1:
        return torch.zeros(5, dtype=torch.long, device=device)
    position = torch.arange(-2, n + 2, device=device) % (2 * n - 2)
    return torch.minimum(position, 2 * n - 2 - position)
