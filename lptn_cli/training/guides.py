"""Hand-written looks, which show a network what is wanted where no pairs of photos exist.

Each takes photos (n, 3, h, w), RGB in [0, 1], and returns what they should become, the same shape. They find
sky, vegetation and warm light by rules (scene.py), so now and then they err; the network that learns from
many of their pictures keeps what these have in common. Detail keeps its sign: looks move the base.

night is "day for night", after Jensen et al., "Night Rendering" (2000), and Thompson, Shirley & Ferwerda, "A
spatial post-processing algorithm for images of night scenes" (2002): little light, little colour, blue where
colour is lost.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from lptn_cli.luma import luma_of_planes as luma
from lptn_cli.training.scene import Scene, blur, follow_edges, mix, smoothstep, tint

Guide = Callable[[Tensor], Tensor]


def night(photo: Tensor) -> Tensor:
    """Little light; skies deep blue, darker to the top; lights stay warm, windows of towns light up."""
    scene = Scene(photo)
    middle = (scene.light + 0.02).log().mean((2, 3), keepdim=True).exp()
    exposed = (scene.light * (0.42 / middle).clamp(0.6, 1.6) ** 0.6).clamp(0, 1.2)
    above = 0.55 + 0.35 * (1.6 * scene.height).clamp(max=1)
    spots = smoothstep(scene.light - blur(scene.light, 6), 0.04, 0.16)  # sunlit sand and rock are no lamps
    lit = scene.warm * (1 - scene.sky) * (0.2 + 0.8 * spots)
    land = 0.38 * exposed**1.55 * (1 + 0.6 * lit * smoothstep(scene.light, 0.35, 0.8))
    light = mix(land, 0.26 * exposed**1.2 * above, scene.sky)
    faded = mix(tint(photo, 0.72, 0.92, 1.42), scene.ratio, 0.18)
    colour = mix(faded, scene.ratio * tint(photo, 1.12, 0.98, 0.80), 0.65 * lit)
    colour = mix(colour, mix(tint(photo, 0.42, 0.86, 1.90), scene.ratio, 0.12), scene.sky)
    glints = (scene.light - blur(scene.light, 4)).clamp(min=0) * (1 - scene.sky)
    glints = 0.9 * glints * smoothstep(scene.light, 0.55, 0.85)
    result = _lit(colour, light) + glints * tint(photo, 1.0, 0.78, 0.45)
    windows = smoothstep(scene.light - blur(scene.light, 2), 0.01, 0.12) * (0.35 + 0.65 * scene.light)
    result = result + 0.9 * scene.town * windows * tint(photo, 1.35, 0.98, 0.50)
    street = 0.15 * scene.town * (0.3 + scene.light)
    return (result + street * tint(photo, 1.2, 0.8, 0.35)).clamp(0, 1)


def day(photo: Tensor) -> Tensor:
    """Light everywhere, a pale blue sky; lamps go out: what is bright is no brighter than what it lights."""
    scene = Scene(photo)
    mean = photo.mean((2, 3), keepdim=True)
    white = (mean.mean(1, keepdim=True) / mean.clamp(min=0.02)) ** 0.6
    balanced = (photo * white.clamp(0.6, 1.7)).clamp(0, 1.2)
    light = luma(balanced)
    orange = scene.warm * smoothstep(scene.light, 0.25, 0.7)
    ratio = 1 + (0.6 - 0.45 * orange) * ((balanced + 0.03) / (light + 0.03) - 1)
    base = follow_edges((light + 0.002).sqrt(), blur(light, 3).clamp(0, 1), 6).clamp(0, 1)
    lamps = smoothstep(scene.light - blur(scene.light, 6), 0.04, 0.2)
    contrast = (light + 0.05) / (base + 0.05)  # 0.05: noise in shadows is lifted no further
    contrast = contrast ** (0.9 * (1 - lamps))
    land = ratio * (0.18 + 0.68 * base**0.42) * contrast * tint(photo, 1.03, 1.0, 0.92)
    brightness = 0.78 + 0.24 * scene.light.clamp(max=0.7) + 0.12 * scene.height
    haze = 0.6 * smoothstep(scene.height, 0.25, 0.8)
    sky = brightness * mix(tint(photo, 0.69, 1.0, 1.40), tint(photo, 1.0, 1.0, 1.03), haze)
    return mix(land.clamp(0, 1), sky, scene.night_sky).clamp(0, 1)


def winter(photo: Tensor) -> Tensor:
    """Snow on meadows, open ground and all that the light falls on, frost on trees, cool faded colours."""
    scene = Scene(photo)
    base = follow_edges(scene.light, scene.light, 12, 1e-2)  # blurred across a roof, it would leave a halo
    detail = scene.light - base
    smooth = 1 - smoothstep(scene.texture, 0.06, 0.13)
    land = (1 - scene.sky) * (1 - smoothstep(photo[:, 2:] - photo[:, :1], 0.05, 0.18))  # not water
    meadow = blur(scene.vegetation, 4) * smoothstep(scene.height, 0.15, 0.40) * smooth
    ground = land * smoothstep(scene.height, 0.25, 0.5) * smooth * smoothstep(base, 0.06, 0.28)
    tops = smoothstep(detail, -0.02, 0.06) * smoothstep(base, 0.10, 0.35)
    tops = (
        tops
        * torch.maximum(land, blur(scene.vegetation, 2))
        * (0.5 + 0.5 * smoothstep(scene.height, 0.15, 0.45))
    )
    ground = follow_edges(scene.light, ground, 4).clamp(0, 1)
    snow = torch.maximum(torch.maximum(0.92 * meadow, 0.88 * ground), 0.85 * tops).clamp(0, 0.92)
    snow = snow * (1 - 0.5 * scene.town)  # walls stay walls
    trees = scene.vegetation * (1 - snow)
    bark = (0.95 * base + 1.2 * detail + 0.06).clamp(0, 1) * tint(photo, 1.0, 0.99, 1.0)
    white = (0.62 + 0.40 * base + 1.20 * detail).clamp(0, 1) * tint(photo, 1.0, 1.0, 1.01)
    frost = 0.8 * detail.clamp(min=0) * (trees + 0.5 * land * (1 - snow))
    result = mix(mix(mix(photo, scene.light, 0.85), bark, 0.92 * trees), white, snow)
    result = result + frost * tint(photo, 0.95, 1.0, 1.05)
    pale = (0.33 + 0.62 * scene.light) * tint(photo, 0.95, 1.0, 1.06)
    result = mix(result, mix(pale, photo, 0.20), 0.9 * scene.sky)
    result = result + 0.05 * (1 - scene.sky) * (1 - result)
    middle = luma(result).mean((2, 3), keepdim=True)
    result = result + 0.2 * (result - middle) * (1 - 0.5 * scene.sky)  # snow is white, what it leaves is dark
    return _rolled_off(result * tint(photo, 0.93, 1.0, 1.08)).clamp(0, 1)


def summer(photo: Tensor) -> Tensor:
    """Grass where snow lay, in its blue shadows too, leaves on woods, blue skies, warm light; skies at dusk
    and such as are blue stay as they are."""
    scene = Scene(photo)
    heaven = scene.winter_sky
    blueness = photo[:, 2:] - photo[:, :1]
    glow = smoothstep(-blueness, 0.04, 0.18)
    share = (glow * heaven).mean((2, 3), keepdim=True) / heaven.mean((2, 3), keepdim=True).clamp(min=0.05)
    cold = smoothstep(blueness, 0.0, 0.1) * smoothstep(scene.light, 0.2, 0.42)
    colourless = (1 - heaven) * (1 - (1 - 0.9 * cold) * smoothstep(scene.colourful, 0.3, 0.55))
    white = torch.maximum(smoothstep(scene.light, 0.36, 0.62), 0.8 * cold)
    snow = colourless * white * smoothstep(scene.height, 0.08, 0.25)
    wood = colourless * (1 - 0.8 * smoothstep(scene.light, 0.35, 0.7))
    leaves = (0.03 + 0.75 * scene.light) * tint(photo, 0.78, 1.12, 0.46)
    result = mix(mix(photo, leaves, 0.8 * wood), _meadow(scene, snow), 0.94 * blur(snow, 1))
    azure = (0.14 + 0.72 * scene.light) * tint(photo, 0.70, 1.03, 1.42)
    cloud = (0.08 + 0.92 * scene.light) * tint(photo, 0.96, 1.0, 1.08)
    sky = mix(azure, cloud, 0.5 * smoothstep(scene.light, 0.85, 1.0))
    pale = 1 - 0.8 * smoothstep(scene.colourful * smoothstep(blueness, 0.05, 0.2), 0.35, 0.6)
    result = mix(result, sky, 0.8 * heaven * pale * (1 - glow) * (1 - 0.7 * smoothstep(share, 0.1, 0.35)))
    return (result * tint(photo, 1.05, 1.0, 0.93)).clamp(0, 1)


def golden(photo: Tensor) -> Tensor:
    """Low sun: amber where light falls, shadows without colour, a sky that glows above the horizon and is
    lilac at its top."""
    scene = Scene(_lightened(photo))
    way_up = ((scene.horizon - scene.height) / (0.75 * scene.horizon).clamp(min=0.2)).clamp(min=0)
    glow = torch.exp(-(way_up**2))
    ratio = mix(scene.ratio, torch.ones_like(photo), 0.35)
    amber = smoothstep(scene.light, 0.15, 0.8)
    tone = mix(tint(photo, 1.02, 0.96, 1.00), tint(photo, 1.34, 0.96, 0.52), amber)
    land = _lit(ratio * tone, 0.97 * scene.light**1.42)
    tone = mix(tint(photo, 1.0, 0.93, 1.12), tint(photo, 1.5, 0.86, 0.42), glow)
    bright = mix(0.20 + 0.50 * scene.light, 0.62 + 0.34 * scene.light, glow)
    sky = _lit(mix(tone, ratio * tone, 0.18), bright)
    return mix(land, sky, 0.92 * scene.sky).clamp(0, 1)


def autumn(photo: Tensor) -> Tensor:
    """Leaves of every colour between red and gold, meadows of straw; dark evergreens turn less."""
    scene = Scene(photo)
    red, green, blue = photo.chunk(3, dim=1)
    yellowness = blur(red, 2) / blur(green, 2).clamp(min=0.04)  # 0.4: a spruce; 0.9: a birch
    light = blur(scene.light, 2)
    ripe = 1.2 * yellowness + 0.9 * light.sqrt()
    all_leaves = scene.vegetation.sum((2, 3), keepdim=True).clamp(min=1)
    mean = (ripe * scene.vegetation).sum((2, 3), keepdim=True) / all_leaves
    ripe = (0.5 + 2.2 * (ripe - mean)).clamp(0, 1)  # the colours of one photo differ, however green it is
    leaf = mix(tint(photo, 2.12, 0.53, 0.27), tint(photo, 1.84, 0.73, 0.15), smoothstep(ripe, 0, 0.5))
    leaf = mix(leaf, tint(photo, 1.43, 0.96, 0.12), smoothstep(ripe, 0.5, 1))
    meadow = smoothstep(scene.height, 0.45, 0.7) * (1 - smoothstep(scene.texture, 0.02, 0.045))
    leaf = mix(leaf, tint(photo, 1.38, 0.94, 0.33), 0.85 * meadow)
    vivid = smoothstep(scene.colourful, 0.05, 0.55)  # what is green by haze alone stays pale
    leaf = mix(tint(photo, 1.06, 0.99, 0.88), leaf, vivid) * (0.04 + 1.08 * scene.light)
    evergreen = (1 - smoothstep(yellowness, 0.45, 0.72)) * (1 - smoothstep(light, 0.1, 0.3))
    turned = 0.95 * scene.vegetation * (1 - 0.35 * evergreen)
    rest = 1 - scene.vegetation
    result = mix(photo, scene.light * tint(photo, 1.02, 1.0, 0.98), 0.25 * rest)
    land = rest * (1 - scene.sky) * (1 - smoothstep(blue - red, 0.0, 0.10))
    result = result * mix(tint(photo, 1.0, 1.0, 1.0), tint(photo, 1.14, 0.97, 0.78), land)
    return (mix(result, leaf, turned) * tint(photo, 1.0, 0.985, 0.96)).clamp(0, 1)


def _lightened(photo: Tensor) -> Tensor:
    """Dark photos lifted by a curve that leaves black and white where they are."""
    light = luma(photo)
    middle = (light + 0.02).log().mean((2, 3), keepdim=True).exp()
    gain = (0.30 / middle).clamp(1, 2.2).sqrt()
    return (photo * gain / (1 + (gain - 1) * light)).clamp(0, 1)


def _meadow(scene: Scene, snow: Tensor) -> Tensor:
    """Grass with the relief of the snow: dark in its shade, yellower in its sun and paler to the horizon."""
    all_snow = snow.sum((2, 3), keepdim=True).clamp(min=1)
    mean = (scene.base * snow).sum((2, 3), keepdim=True) / all_snow
    sun = smoothstep(2.2 * (scene.base - mean), -0.55, 0.45)
    near = smoothstep(scene.height, 0.35, 1.0)
    colour = mix(tint(snow, 0.70, 1.14, 0.44), tint(snow, 0.85, 1.11, 0.40), sun)
    colour = mix(mix(colour, tint(snow, 0.90, 1.06, 0.60), 0.35), colour, near)
    light = (0.10 + 0.32 * sun + 1.8 * scene.detail) * (1.12 - 0.22 * near)
    return (light * colour).clamp(0, 1)


def _lit(colour: Tensor, light: Tensor) -> Tensor:
    """That colour at that luminance."""
    return colour / luma(colour).clamp(min=0.05) * light


def _rolled_off(image: Tensor) -> Tensor:
    """Highlights from 0.6 on ever flatter, at most 0.9: finer detail of a large photo has room above them."""
    light = luma(image).clamp(min=1e-3)
    over = (light - 0.6).clamp(min=0)
    return image * (light - over + 0.3 * torch.tanh(over / 0.3)) / light


GUIDES: dict[str, Guide] = {
    "night": night,
    "day": day,
    "winter": winter,
    "summer": summer,
    "golden": golden,
    "autumn": autumn,
}
