"""What each loss forbids or asks for, on pictures where the answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lptn_cli.training import losses
from lptn_cli.training.discriminator import Adversary, Discriminator, gradient_penalty
from tests.seeded import seeded_image


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def batch(n: int = 3) -> Tensor:
    return torch.cat([seeded_image(96, 128, seed) for seed in range(n)])


def test_equal_distributions_are_at_no_distance_in_any_order() -> None:
    images = batch()
    assert float(losses.sliced_wasserstein(images, images.flip(0), generator(), 8)) < 1e-6


def test_distance_grows_with_the_difference() -> None:
    images = batch()
    near, far = ((images * gain) for gain in (0.9, 0.5))
    distances = [float(losses.sliced_wasserstein(images, other, generator(), 16)) for other in (near, far)]
    assert 0 < distances[0] < distances[1]


def test_distance_sees_where_in_the_picture_a_colour_is() -> None:
    """Dark above and light below is not light above and dark below."""
    ramp = torch.linspace(0, 1, 96).view(1, 1, 96, 1).expand(2, 3, 96, 128).contiguous()
    assert float(losses.sliced_wasserstein(ramp, ramp.flip(2), generator(), 32)) > 0.02


def test_structure_survives_any_gain_and_offset_but_not_inversion() -> None:
    images = batch(1)
    assert float(losses.structure(images, images)) == pytest.approx(0, abs=1e-5)
    assert float(losses.structure(images, 0.6 * images + 0.1)) < 0.05
    assert float(losses.structure(images, 1 - images)) > 0.3


def test_correlation_of_flat_windows_is_one() -> None:
    flat = torch.full((1, 1, 40, 40), 0.4)
    assert torch.allclose(losses.local_correlation(flat, flat / 2), torch.ones(()), atol=1e-3)


@pytest.mark.parametrize("period", [2, 8, 16, 48])
def test_new_edges_sees_what_appears_where_the_photo_is_flat(period: int) -> None:
    """Fine grain as well as clouds of 24 pixels; an edge that the photo has is free to stay."""
    flat = torch.full((1, 3, 96, 128), 0.5)
    stripes = flat.clone()
    for start in range(0, 128, period):
        stripes[..., start : start + period // 2] += 0.1
    appeared = float(losses.new_edges(flat, stripes))
    assert appeared > 0.004
    assert float(losses.new_edges(flat, flat)) == 0
    assert float(losses.new_edges(stripes, stripes)) < 0.3 * appeared


@pytest.mark.parametrize("side", [44, 45, 46, 47, 181])
def test_colour_noise_is_the_same_whatever_the_side(side: int) -> None:
    """Of a smooth ramp of colour, which lies within its blocks of 4 as far from their means."""
    ramp = torch.zeros(1, 3, side, side)
    ramp[:, 0] = torch.arange(side) / 1000
    whole = ramp[..., : side // 4 * 4, : side // 4 * 4]
    noise = [float(losses.colour_noise(torch.zeros_like(one), one)) for one in (ramp, whole)]
    assert noise[0] == pytest.approx(noise[1], rel=0.1)


def test_colour_noise_counts_only_what_the_photo_has_not() -> None:
    grey = torch.full((1, 3, 40, 40), 0.5)
    speckled = grey.clone()
    speckled[:, 0, ::2, ::2] += 0.2
    assert float(losses.colour_noise(grey, speckled)) > 0.01
    assert float(losses.colour_noise(speckled, grey)) == 0
    lighter = grey + 0.1 * torch.rand(1, 1, 40, 40, generator=generator())
    assert float(losses.colour_noise(grey, lighter)) < 1e-6


def test_out_of_range() -> None:
    assert float(losses.out_of_range(batch().clamp(0, 1))) == 0
    assert float(losses.out_of_range(torch.full((1, 3, 4, 4), 1.1))) == pytest.approx(0.01, rel=1e-3)
    assert float(losses.out_of_range(torch.full((1, 3, 4, 4), -0.2))) == pytest.approx(0.04, rel=1e-3)


@pytest.mark.parametrize("penalty", [0.0, 10.0])
def test_an_adversary_learns_to_tell_two_kinds_apart(penalty: float) -> None:
    torch.manual_seed(0)
    adversary = Adversary(torch.device("cpu"), scales=2, finest=2, rate=2e-3, penalty=penalty)
    real, made = batch(2), 1 - batch(2)
    for _ in range(12):
        adversary.loss(made, real, generator())
    assert adversary.discriminator(real)[0].mean() > adversary.discriminator(made)[0].mean() + 0.05


def test_gradient_penalty_is_none_where_the_slope_is_one() -> None:
    class Slope(Discriminator):
        slope = 1.0

        def forward(self, image: Tensor) -> list[Tensor]:
            return [image.flatten(1).sum(1, keepdim=True) / image[0].numel() ** 0.5 * self.slope]

    steep = Slope()
    for slope, penalty in ((1.0, 0.0), (3.0, 4.0)):
        steep.slope = slope
        found = float(gradient_penalty(steep, batch(2), 1 - batch(2), generator()).detach())
        assert found == pytest.approx(penalty, abs=1e-3)


def test_a_cast_is_further_from_the_guide_than_errors_that_cancel_out() -> None:
    wanted = batch(1)
    checks = 0.1 * (torch.arange(96 * 128).view(96, 128) + torch.arange(96)[:, None]).remainder(2).mul(2).sub(
        1
    )
    assert float(losses.to_guide(wanted + checks, wanted)) == pytest.approx(0.1, rel=0.01)
    assert float(losses.to_guide(wanted + 0.1, wanted)) == pytest.approx(0.2, rel=0.01)
