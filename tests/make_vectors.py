"""Writes tests/vectors.npz, which pins the network's numbers: python -m tests.make_vectors

Run it only when the numbers are meant to change, and where ../shared/reference is: parity tests must pass.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from lptn_cli.network import Form
from tests.seeded import seeded_image, seeded_network

FORMS: tuple[Form, ...] = ("paper", "released")


def main() -> None:
    with torch.inference_mode():
        vectors = {
            f"{form}_{num_high}": seeded_network(form, num_high)(seeded_image(64, 96))[0, :, ::7, ::5].numpy()
            for form in FORMS
            for num_high in (3, 4, 5)
        }
    np.savez_compressed(Path(__file__).parent / "vectors.npz", **vectors)


if __name__ == "__main__":
    main()
