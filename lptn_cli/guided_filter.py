"""From what the network makes of a small photo to a linear map of colours for every place of it.

The guided filter with a colour guide (He, Sun and Tang, "Guided Image Filtering", TPAMI 2013): within a
window the look is taken for a linear map of the photo's colours, so what is even in the photo is even in the
look, and the look has its edges where the photo has them. The network changes colours a pixel of the
low-frequency component at a time, 8 or 16 small pixels wide, and brings the edges back with masks of one
channel. Where a look recolours, that leaves a glow on the far side of an edge (walls get snow: a veil in the
dark beside them), which this takes out.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.affine import Affine
from lptn_cli.luma import LUMA

CELL = 4  # pixels of the small photo on a side of a place ("Fast Guided Filter", 2015: the maps are smooth)
REACH = 2  # cells on each side of a place that are in its window

# Variance below which the fit trusts the network's own gain rather than the slopes it sees; (14 / 255)^2.
# Halo, fringe and noise in shadows by benchmarks.edges are least at 1e-3 to 1e-2.
RIDGE = 3e-3


@torch.inference_mode()
def fit(
    small: Tensor, look: Tensor, gain: Tensor, recolouring: Tensor | None, step: Tensor | None = None
) -> Affine[Tensor]:
    """The linear maps of look ~ map(small): `Affine` at a place for each 4x4 cell of the small photo.

    small, look: (h, w, 3) in [0, 1]. gain, recolouring: how the network changes contrast, (h, w, 1) or for
    each channel (h, w, 3), and colour, (h, w, 4) as of `luma.recoloured` (None: not at all), of detail finer
    than the small photo. Where the photo is flat, which says nothing of slopes, maps tend to them; a ridge
    towards zero, as in the paper, would wipe the detail out. step: (h, w, 3), how far the photo's values go
    for a step of one in sRGB; None: it is sRGB.
    """
    size = max(1, round(small.shape[0] / CELL)), max(1, round(small.shape[1] / CELL))
    x, y, g = (_planes(image) for image in (small, look, gain))
    squares, products = ((x[:, None] * other).flatten(0, 1) for other in (x, y))
    changes = [] if recolouring is None else [_planes(recolouring)]
    means = _means([x, y, squares, products, g, *changes], size)
    lengths = [3, 3, 9, 9, len(g), 4 * len(changes)]
    mean_x, mean_y, mean_xx, mean_xy, mean_gain, change = torch.split(means, lengths)
    covariance = mean_xx.view(3, 3, *size) - mean_x[:, None] * mean_x
    cross = mean_xy.view(3, 3, *size) - mean_x[:, None] * mean_y
    itself = torch.eye(3, device=small.device)[:, :, None, None]
    wanted = mean_gain * _recoloured(itself, change)
    ridge: Tensor | float = RIDGE
    if step is not None:
        steps = _planes(step)
        length, squared = torch.split(_means([steps, steps.square()], size), 3)
        wanted, ridge = wanted * length / length[:, None], RIDGE * squared[:, None]
    slopes = _solved(covariance + ridge * itself, cross + ridge * wanted)
    offset = mean_y - (slopes * mean_x[:, None]).sum(0)
    terms = _window_mean(torch.cat([slopes.flatten(0, 1), offset]))
    return Affine(terms.view(4, 3, *size).permute(0, 2, 3, 1).contiguous())


def _means(parts: list[Tensor], size: tuple[int, int]) -> Tensor:
    """Over the window of every place, of all planes of (c, H, W) one after the other: (sum of c, h, w)."""
    return _window_mean(torch.cat([F.adaptive_avg_pool2d(part[None], size)[0] for part in parts]))


def _planes(image: Tensor) -> Tensor:  # (h, w, c) -> (c, h, w)
    return image.permute(2, 0, 1).contiguous()


def _recoloured(itself: Tensor, change: Tensor) -> Tensor:
    """The map of `luma.recoloured`: (in, out, h, w). change: (4, h, w), or empty: itself."""
    if not len(change):
        return itself
    added = torch.stack([weight * change[1:] for weight in LUMA])  # no copy to a GPU that captures
    return itself * change[0] + added


def _solved(matrix: Tensor, right: Tensor) -> Tensor:
    """matrix^-1 right of symmetric (3, 3, h, w) and any (3, 3, h, w), by cross products of rows: plain
    arithmetic, which a GPU captures, where a solver would have to look for failures. The ridge keeps it exact
    to 1e-5 in float32."""
    a, b, c = matrix
    adjugate = torch.stack([torch.linalg.cross(*rows, dim=0) for rows in ((b, c), (c, a), (a, b))])
    determinant = (a * adjugate[0]).sum(0)
    inverse: Tensor = adjugate / determinant
    return (inverse[:, :, None] * right).sum(1)


def _window_mean(planes: Tensor) -> Tensor:
    """The mean of the window round every place of (c, h, w); at a border of the part within."""
    return _window_sum(planes) / _window_sum(torch.ones_like(planes[:1]))


def _window_sum(planes: Tensor) -> Tensor:
    """By slices: twice as quick as a pooling layer, and nothing that a GPU's graph would have to keep."""
    height, width = planes.shape[1:]
    framed = F.pad(planes, (REACH, REACH, REACH, REACH))
    rows = torch.stack([framed[:, n : n + height] for n in range(2 * REACH + 1)]).sum(0)
    return torch.stack([rows[:, :, n : n + width] for n in range(2 * REACH + 1)]).sum(0)
