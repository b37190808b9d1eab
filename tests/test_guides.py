"""The hand-written looks, on a drawn landscape where it is known what is sky, meadow, snow and wall."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lptn_cli.cli_looks import GuideName
from lptn_cli.luma import luma_of_planes as luma
from lptn_cli.training.guides import GUIDES
from lptn_cli.training.losses import local_correlation, local_variance
from lptn_cli.training.scene import Scene, blur, smoothstep

HORIZON = 54  # of 120 rows
SKY, LAND = (slice(2, 40), slice(4, 156)), (slice(80, 116), slice(4, 100))
WALL = (slice(64, 100), slice(112, 150))


def colour(*rgb: float) -> Tensor:
    return torch.tensor(rgb).view(3, 1, 1)


def landscape(sky: Tensor, land: Tensor, wall: Tensor) -> Tensor:
    """A sky that pales towards the horizon, textured land, a wall with windows: (1, 3, 120, 160)."""
    generator = torch.Generator().manual_seed(7)
    photo = torch.empty(3, 120, 160)
    pale = torch.linspace(0, 0.3, HORIZON).view(1, HORIZON, 1)
    photo[:, :HORIZON] = sky + (1 - sky) * pale
    texture = 1 + 0.12 * torch.randn(1, 120 - HORIZON, 160, generator=generator)
    photo[:, HORIZON:] = land * texture
    photo[:, 60:104, 108:154] = wall
    photo[:, 70:96:8, 114:150:8] = wall * 0.4
    return photo.clamp(0, 1)[None]


SUMMER = landscape(colour(0.45, 0.65, 0.92), colour(0.30, 0.48, 0.14), colour(0.80, 0.62, 0.40))
WINTER = landscape(colour(0.72, 0.76, 0.82), colour(0.80, 0.82, 0.86), colour(0.45, 0.36, 0.30))
NIGHT = landscape(colour(0.02, 0.02, 0.04), colour(0.06, 0.06, 0.05), colour(0.62, 0.44, 0.18))
SOURCE = {
    "night": SUMMER, "winter": SUMMER, "golden": SUMMER, "autumn": SUMMER, "summer": WINTER, "day": NIGHT,
}  # fmt: skip


def mean(photo: Tensor, where: tuple[slice, slice]) -> Tensor:
    return photo[0][:, where[0], where[1]].mean((1, 2))


def test_the_command_line_offers_every_guide() -> None:
    assert {name.value for name in GuideName} == set(GUIDES) == set(SOURCE)


def test_sky_and_vegetation_are_found() -> None:
    scene = Scene(SUMMER)
    assert float(mean(scene.sky.expand(1, 3, -1, -1), SKY).min()) > 0.9
    assert float(mean(scene.sky.expand(1, 3, -1, -1), LAND).max()) < 0.05
    assert float(mean(scene.vegetation.expand(1, 3, -1, -1), LAND).min()) > 0.8
    assert float(mean(scene.vegetation.expand(1, 3, -1, -1), SKY).max()) < 0.05
    assert float(mean(scene.warm.expand(1, 3, -1, -1), WALL).min()) > 0.5
    assert float(scene.horizon) == pytest.approx(HORIZON / 120, abs=0.1)
    assert float(mean(Scene(NIGHT).night_sky.expand(1, 3, -1, -1), SKY).min()) > 0.9


def test_turquoise_water_is_no_meadow() -> None:
    lagoon = landscape(colour(0.45, 0.65, 0.92), colour(0.05, 0.55, 0.45), colour(0.8, 0.6, 0.4))
    assert float(mean(Scene(lagoon).vegetation.expand(1, 3, -1, -1), LAND).max()) < 0.2


def city() -> Tensor:
    """Houses of several heights with rows of windows under a sky: (1, 3, 120, 160)."""
    generator = torch.Generator().manual_seed(3)
    photo = colour(0.40, 0.40, 0.42).expand(3, 120, 160).clone()
    photo[:, :50] = colour(0.6, 0.7, 0.9)
    for left in range(6, 150, 24):
        top = 120 - int(torch.randint(40, 70, (), generator=generator))
        photo[:, top:, left : left + 18] = colour(0.55, 0.53, 0.50)
        for row in (4, 5):
            photo[:, top + row :: 8, left + 2 : left + 16 : 4] = 0.2
    return photo[None]


def rocks() -> Tensor:
    """As rough as the city, but with edges that run every way."""
    generator = torch.Generator().manual_seed(3)
    heaps = F.interpolate(torch.rand(1, 1, 30, 40, generator=generator), size=(120, 160), mode="bicubic")
    light = 0.45 + 0.25 * (heaps - 0.5) + 0.06 * torch.randn(1, 1, 120, 160, generator=generator)
    photo = light * colour(1.1, 1.0, 0.85)
    photo[:, :, :40] = colour(0.6, 0.7, 0.9)
    return photo.clamp(0, 1)


def test_towns_are_found_and_light_up_at_night_and_rocks_do_not() -> None:
    houses = slice(70, 120)
    assert float(Scene(city()).town[:, :, houses].mean()) > 0.6
    assert float(Scene(rocks()).town[:, :, houses].mean()) < 0.02
    by_night = GUIDES["night"](torch.cat([city(), rocks()]))[:, :, houses]
    warmth = by_night[:, 0] - by_night[:, 2]
    assert float((warmth[0] > 0.15).float().mean()) > 0.05  # windows
    assert float(warmth[1].max()) < 0.1


@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_keeps_shape_range_and_structure(name: str) -> None:
    photo = SOURCE[name]
    result = GUIDES[name](photo)
    assert result.shape == photo.shape
    assert 0 <= float(result.min()) <= float(result.max()) <= 1
    textured = local_variance(luma(photo)) > (6 / 255) ** 2
    assert float(local_correlation(luma(photo), luma(result))[textured].mean()) > 0.85
    both = GUIDES[name](torch.cat([photo, photo.flip(3)]))
    assert torch.allclose(both[:1], result, atol=1e-5)


def test_night_is_dark_blue_above_and_keeps_lamps_warm_but_not_walls() -> None:
    lamps = SUMMER.clone()
    lamps[..., 80:83, 40:43] = colour(1.0, 0.75, 0.35)
    result = GUIDES["night"](lamps)
    sky, wall, lamp = mean(result, SKY), mean(result, WALL), mean(result, (slice(80, 83), slice(40, 43)))
    assert float(luma(result).mean()) < 0.35 * float(luma(SUMMER).mean())
    assert sky[2] > 1.5 * sky[0]
    assert lamp[0] > 1.2 * lamp[2]
    assert wall[0] < wall[2]
    assert float(luma(result)[0, 0, 4].mean()) < float(luma(result)[0, 0, 40].mean())


def test_day_is_light_with_a_blue_sky_and_whiter_lamps() -> None:
    result = GUIDES["day"](NIGHT)
    sky, wall = mean(result, SKY), mean(result, WALL)
    assert float(luma(result).mean()) > 0.35
    assert sky[2] > sky[0]
    assert float(wall[0] / wall[2]) < 0.8 * float(mean(NIGHT, WALL)[0] / mean(NIGHT, WALL)[2])


def test_by_day_the_moon_is_gone_and_what_stands_on_the_ground_or_comes_in_from_a_side_stays() -> None:
    moon, tower, branch = (
        (slice(16, 24), slice(60, 68)),
        (slice(10, 54), slice(90, 100)),
        (slice(20, 30), slice(0, 30)),
    )
    night = NIGHT.clone()
    for where in (moon, tower, branch):
        night[0][:, where[0], where[1]] = colour(0.7, 0.5, 0.3)
    sky = Scene(night).night_sky.expand(1, 3, -1, -1)
    assert float(mean(sky, moon).min()) > 0.8
    assert float(mean(sky, tower).max()) < 0.3 and float(mean(sky, branch).max()) < 0.3


def test_winter_whitens_the_meadow_and_summer_makes_snow_green() -> None:
    meadow = mean(GUIDES["winter"](SUMMER), LAND)
    assert float(meadow.min()) > 0.55
    assert float(meadow.max() - meadow.min()) < 0.15
    grass = mean(GUIDES["summer"](WINTER), LAND)
    assert grass[1] > grass[0] > grass[2] + 0.1


@pytest.mark.parametrize(
    ("top", "low"),
    [((0.93, 0.93, 0.94), (0.93, 0.93, 0.94)), ((0.02, 0.12, 0.45), (0.95, 0.95, 0.93))],
    ids=["fog", "sun"],
)
def test_the_sky_over_snow_ends_at_the_woods_and_does_not_turn_green(
    top: tuple[float, ...], low: tuple[float, ...]
) -> None:
    photo = torch.full((1, 3, 120, 160), 0.93)
    photo[:, :, :80] = mix_of_rows(colour(*top).expand(1, 3, 80, 160), colour(*low))
    photo[:, :, 80:86] = 0.15
    result = GUIDES["summer"](photo)
    above, below = mean(result, (slice(40, 76), slice(0, 160))), mean(result, (slice(92, 116), slice(0, 160)))
    assert below[1] > below[0] > below[2] + 0.1
    assert above[2] > above[1]


def test_snow_in_shade_is_blue_and_turns_green_as_well_and_a_deep_blue_sky_stays() -> None:
    shade = landscape(colour(0.10, 0.25, 0.65), colour(0.34, 0.42, 0.60), colour(0.3, 0.3, 0.3))
    result = GUIDES["summer"](shade)
    grass, sky = mean(result, LAND), mean(result, (slice(2, 14), slice(4, 156)))
    assert grass[1] > grass[0] > grass[2] + 0.04
    assert sky[2] > 3 * sky[0]


def mix_of_rows(image: Tensor, last: Tensor) -> Tensor:
    """From the image at the top row to that colour at the bottom row."""
    share = torch.linspace(0, 1, image.shape[2]).view(1, 1, -1, 1)
    return image + (last - image) * share


def test_leaves_of_one_photo_turn_to_different_colours_however_green_it_is() -> None:
    photo = landscape(colour(0.5, 0.7, 0.9), colour(0.10, 0.30, 0.08), colour(0.3, 0.3, 0.3))
    leafy = 1 + 0.5 * torch.randn(1, 1, 120 - HORIZON, 160, generator=torch.Generator().manual_seed(1))
    photo[:, :, HORIZON:] = (photo[:, :, HORIZON:] * leafy).clamp(0.02, 1)
    photo[:, :, 80:, :50] = photo[:, :, 80:, :50] * torch.tensor([2.6, 1.2, 0.8]).view(1, 3, 1, 1)
    result = GUIDES["autumn"](photo)
    gold, red = mean(result, (slice(85, 116), slice(5, 45))), mean(result, (slice(85, 116), slice(55, 95)))
    assert gold[0] / gold[1] < 0.75 * red[0] / red[1]
    assert red[0] > red[1] > red[2] and gold[0] > gold[1] > gold[2]


def test_haze_over_green_hills_does_not_turn_to_gold() -> None:
    hills = landscape(colour(0.5, 0.7, 0.9), colour(0.80, 0.92, 0.72), colour(0.3, 0.3, 0.3))
    hazy = mean(GUIDES["autumn"](hills), LAND)
    assert hazy[0] > hazy[1] > hazy[2] > 0.55 * hazy[0]


def test_winter_leaves_room_above_its_whites_for_the_detail_of_large_photos() -> None:
    snow = luma(GUIDES["winter"](landscape(colour(0.9, 0.9, 0.9), colour(0.6, 0.9, 0.3), colour(1, 1, 1))))
    assert float(snow.quantile(0.99)) > 0.8 and float(snow.max()) < 0.91


def test_golden_is_amber_and_autumn_turns_leaves() -> None:
    wall, before = mean(GUIDES["golden"](SUMMER), WALL), mean(SUMMER, WALL)
    assert wall[0] / wall[2] > 1.2 * before[0] / before[2]
    top, low = (mean(GUIDES["golden"](SUMMER), (rows, SKY[1])) for rows in (slice(2, 8), slice(40, 50)))
    assert low[0] / low[2] > 2 and 0.9 < top[0] / top[2] < 1.3  # orange at the horizon, lilac at the top
    meadow = mean(GUIDES["autumn"](SUMMER), LAND)
    assert meadow[0] > 1.15 * meadow[1] > 1.5 * meadow[2]


def test_blur_keeps_a_flat_image_flat_up_to_the_border() -> None:
    flat = torch.full((1, 1, 30, 40), 0.3)
    assert torch.allclose(blur(flat, 5), flat)
    assert float(smoothstep(torch.tensor(0.5), 0, 1)) == pytest.approx(0.5)
