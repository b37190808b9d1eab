"""Networks whose weights come from NumPy's seeded generator, the same on every machine and version."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from lptn_cli.branches import Variant
from lptn_cli.network import LPTN, Form


def seeded_state(
    form: Form, nrb_low: int, nrb_high: int, num_high: int, seed: int = 0, *, context: bool = False
) -> dict[str, Tensor]:
    """Weights of the scale that training gives: the output stays near [0, 1]."""
    numbers = np.random.default_rng(seed)
    state = {}
    network = LPTN(nrb_low, nrb_high, num_high, form, context=context)
    for key, value in sorted(network.state_dict().items()):
        fan_in = value[0].numel() if value.ndim > 1 else 1
        spread = 0.8 / np.sqrt(fan_in) if value.ndim > 1 else 0.05
        drawn = numbers.normal(0, spread, tuple(value.shape)).astype(np.float32)
        state[key] = torch.from_numpy(drawn)
    return state


def seeded_network(form: Form, num_high: int, variant: Variant | None = None) -> LPTN:
    state = seeded_state(form, nrb_low=2, nrb_high=1, num_high=num_high)
    return LPTN.from_state_dict(state, variant or Variant())


def seeded_image(height: int, width: int, seed: int = 7) -> Tensor:
    """(1, 3, height, width) in [0, 1], smooth with some noise."""
    numbers = np.random.default_rng(seed)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    planes = np.stack([(np.sin(5 * x + 3 * k * y + k) + 1) / 2 for k in range(3)])
    noisy = 0.85 * planes + 0.15 * numbers.random((3, height, width))
    return torch.from_numpy(noisy[None].astype(np.float32))
