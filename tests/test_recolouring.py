"""What becomes of the colour of detail: it fades or takes the new colour of its place, and its luma stays."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from lptn_cli.branches import Variant
from lptn_cli.luma import luma_of_planes, recoloured
from lptn_cli.network import LPTN, Form
from lptn_cli.preset import DetailColour
from tests.seeded import seeded_image, seeded_network


def translating(colour: DetailColour, low: Callable[[Tensor], Tensor], form: Form = "paper") -> LPTN:
    """A network that makes that of every low-frequency component."""
    network = seeded_network(form, 3, Variant("reflect", "none", "linear", colour))
    network.trans_low.forward = lambda component, _: low(component)  # type: ignore[assignment, method-assign]
    return network


def green_photo() -> Tensor:
    """One colour, light and dark."""
    light = torch.rand(1, 1, 64, 96, generator=torch.Generator().manual_seed(2))
    return light * planes(0.35, 0.5, 0.1)


def planes(*rgb: float) -> Tensor:
    return torch.tensor(rgb).view(1, 3, 1, 1)


def to_grey(low: Tensor) -> Tensor:
    return luma_of_planes(low).expand_as(low)


@torch.inference_mode()
def kept_of(network: LPTN, photo: Tensor) -> Tensor:
    """The share of its own colour that detail keeps."""
    colour = network.translate(photo).recolouring
    assert colour is not None and colour.shape == (1, 4, *photo.shape[2:])
    return colour[:, :1]


@pytest.mark.parametrize("form", ["paper", "released"])
def test_detail_fades_where_the_low_frequency_component_does(form: Form) -> None:
    network, green = translating("faded", to_grey, form), green_photo()
    with torch.inference_mode():
        translation = network.translate(green)
    assert float(kept_of(network, green).max()) < 0.05
    assert (translation.gain is None) == (form == "released")
    if form == "paper":  # the mask has one channel: nothing else could take the green from the detail
        colours = translation.image - luma_of_planes(translation.image)
        assert float(colours.abs().mean()) < 0.03 * float((green - luma_of_planes(green)).abs().mean())


@pytest.mark.parametrize("colour", ["faded", "recoloured"])
def test_detail_keeps_its_colour_where_the_look_does_or_where_there_is_none(colour: DetailColour) -> None:
    network, green = translating(colour, lambda low: 1.2 * low), green_photo()
    for photo in (green, green[:, :1].expand_as(green)):
        assert float(kept_of(network, photo).min()) > 0.97


@pytest.mark.parametrize("colour", ["faded", "recoloured"])
def test_what_takes_the_opposite_colour_keeps_none_of_its_own(colour: DetailColour) -> None:
    network = translating(colour, lambda low: low.flip(1) * planes(1, 0.5, 1))
    assert float(kept_of(network, green_photo()).max()) < 0.05


@pytest.mark.parametrize("level", [-0.05, 0.0, 1.3])
def test_what_lies_beyond_black_and_white_recolours_as_black_and_white_do(level: float) -> None:
    photo, inside = seeded_image(64, 96), min(max(level, 0.0), 1.0)

    def even(low: Tensor, value: float) -> Tensor:
        return torch.full_like(low, value)

    with torch.inference_mode():
        beyond, wanted = (
            translating("recoloured", partial(even, value=value)).translate(photo).recolouring
            for value in (level, inside)
        )
    torch.testing.assert_close(beyond, wanted)


@pytest.mark.parametrize("colour", ["faded", "recoloured"])
def test_the_luma_of_detail_stays(colour: DetailColour) -> None:
    photo = seeded_image(64, 96)
    with torch.inference_mode():
        change = translating(colour, lambda low: low.flip(1) ** 2).translate(photo).recolouring
    assert change is not None
    detail = photo - 0.5
    torch.testing.assert_close(luma_of_planes(recoloured(detail, change)), luma_of_planes(detail))


def test_detail_takes_the_new_colour_of_its_place() -> None:
    """Leaves turn red in every shade; where colours stay, so does detail of whatever colour."""
    red, green = planes(0.6, 0.2, 0.05), green_photo()

    def turned(low: Tensor) -> Tensor:
        return luma_of_planes(low) / luma_of_planes(red) * red

    strayed = {}
    for colour in ("kept", "faded", "recoloured"):
        network = translating(colour, turned)
        network.trans_high.model.forward = lambda around: torch.ones_like(around[:, :1])  # type: ignore[method-assign]
        with torch.inference_mode():
            image = network(green)
        strayed[colour] = float((image - turned(image)).abs().mean())
    assert strayed["recoloured"] < 0.25 * min(strayed["kept"], strayed["faded"])
    photo = seeded_image(64, 96)
    with torch.inference_mode():
        same = [translating(colour, torch.clone)(photo) for colour in ("kept", "recoloured")]
    torch.testing.assert_close(same[1], same[0], atol=2e-3, rtol=0)


def test_a_dark_roof_has_no_fringe_where_a_blue_sky_turns_orange() -> None:
    """What detail takes from the low-frequency component beside the edge is what that has there."""
    sky, roof = planes(0.25, 0.55, 0.85), planes(0.03, 0.04, 0.05)
    photo = torch.where(torch.arange(96) < 48, sky, roof).expand(1, 3, 64, 96).contiguous()
    redness = {}
    for colour in ("kept", "recoloured"):
        network = translating(colour, lambda low: low * planes(3.2, 1.1, 0.5))
        unit = {key: torch.zeros_like(value) for key, value in network.trans_high.state_dict().items()}
        network.trans_high.load_state_dict(unit)
        for n in range(3):
            network.trans_high.block(n)[2].bias.data.fill_(1.0)  # type: ignore[index]
        with torch.inference_mode():
            beside = network(photo)[0, :, 32, 49:60].clamp(0, 1)
        redness[colour] = float((beside[0] - beside[1]).max())
    assert redness["kept"] > 0.2 > 0.1 > redness["recoloured"], redness
