"""The GPU's way from bytes to bytes: on a GPU where there is one, else with nvImageCodec's CPU codecs.

Without a GPU its two kernels, which test_on_cuda runs in Triton's interpreter, are those of the CPU here.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import simplejpeg
import torch

CUDA = torch.cuda.is_available()
if not CUDA:
    os.environ["TRITON_INTERPRET"] = "1"  # for test_on_cuda: read when the kernels are defined
pytest.importorskip("triton")
pytest.importorskip("nvidia.nvimgcodec")

from lptn_cli import codecs, finish, on_cuda  # noqa: E402
from lptn_cli.affine import Affine  # noqa: E402
from lptn_cli.codecs import exif, thumbnail  # noqa: E402
from lptn_cli.codecs.image import EncodeOptions, Image, Metadata  # noqa: E402
from lptn_cli.codecs.jpeg_segments import walk  # noqa: E402
from lptn_cli.develop import Devices, Stopwatch, by_codecs, develop, on_gpu  # noqa: E402
from lptn_cli.errors import DecodeError, TooLargeError, TooSmallError  # noqa: E402
from lptn_cli.jpeg_on_cuda import ScanCodec  # noqa: E402
from lptn_cli.plan import Job  # noqa: E402
from lptn_cli.preset import Preset  # noqa: E402
from lptn_cli.settings import Settings  # noqa: E402
from lptn_cli.translate import Retoucher  # noqa: E402
from tests import codec_samples as samples  # noqa: E402
from tests.conftest import photo  # noqa: E402
from tests.developing import SHAPE, camera, few_cores, job  # noqa: E402


def shrunk(pixels: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return torch.from_numpy(finish.loops().area_average(pixels.numpy(), height, width, 1))


def finished(pixels: torch.Tensor, look: Affine[torch.Tensor]) -> torch.Tensor:
    return torch.from_numpy(finish.finish(pixels.numpy(), look.mapped(torch.Tensor.numpy), 1))


@pytest.fixture
def look(preset: Preset, monkeypatch: pytest.MonkeyPatch) -> Retoucher:
    """A look on a GPU, or one that goes the GPU's way on the CPU."""
    if CUDA:
        return Retoucher(preset, "cuda")
    monkeypatch.setattr(on_cuda, "shrink", shrunk)
    monkeypatch.setattr(on_cuda, "finish", finished)
    look = Retoucher(preset, "cpu")
    look._on_cuda, look._streams = on_cuda, on_cuda.Streams()
    look._look_on_cuda = on_cuda.LookOnCUDA(look._network, half=False)
    look.scans = ScanCodec(look.device)
    return look


def both(data: bytes, look: Retoucher, settings: Settings, one: Job | None = None) -> tuple[Any, Any]:
    """What the GPU's way and the codecs make of it, with the same look."""
    ways: tuple[Callable[..., Any], ...] = (on_gpu, by_codecs)
    return tuple(way(one or job(), data, few_cores(look), settings, Stopwatch()) for way in ways)


def test_a_jpeg_goes_through_the_gpu_and_comes_out_as_through_the_codecs(
    look: Retoucher, settings: Settings
) -> None:
    here, there = both(camera(), look, settings)
    assert (here.width, here.height, here.depth, here.note) == (99, 70, 8, there.note)
    ours, theirs = (codecs.decode(one.encoded) for one in (here, there))
    assert ours.subsampling == theirs.subsampling == "420"
    assert np.abs(ours.pixels.astype(int) - theirs.pixels).mean() < 1
    assert np.abs(ours.pixels.astype(int) - codecs.decode(camera()).pixels).mean() > 5  # there is a look


@pytest.mark.skipif(CUDA, reason="thumbnails are of pixels, which differ by a level")
@pytest.mark.parametrize("policy", ["keep", "no-gps", "none"])
@pytest.mark.parametrize("orientation", [1, 6])
def test_all_round_the_picture_is_byte_for_byte_what_the_codecs_write(
    look: Retoucher, settings: Settings, policy: Any, orientation: int
) -> None:
    here, there = both(camera(orientation), look, replace(settings, metadata=policy))
    segments = walk(here.encoded).segments
    assert segments == walk(there.encoded).segments
    assert len(segments) > 4 or policy == "none"
    assert codecs.decode(here.encoded).metadata.orientation == orientation


def test_the_thumbnail_shows_the_result(look: Retoucher, settings: Settings) -> None:
    (here, _) = both(camera(), look, settings)
    result = codecs.decode(here.encoded)
    block = result.metadata.exif or b""
    place = exif.thumbnail(block)
    assert place is not None
    small = codecs.decode(block[place[0] : place[1]]).pixels
    wanted = codecs.decode(thumbnail.small(result, max(small.shape))[0]).pixels
    assert np.abs(small.astype(int) - wanted).mean() < 3


@pytest.mark.parametrize("subsampling", ["auto", "444", "422", "420"])
def test_quality_and_sampling_are_as_asked(look: Retoucher, settings: Settings, subsampling: Any) -> None:
    sizes = []
    for quality in (95, 50):
        here, _ = both(camera(), look, replace(settings, quality=quality, subsampling=subsampling))
        image = codecs.decode(here.encoded)
        assert image.subsampling == (subsampling if subsampling != "auto" else "420")
        sizes.append(len(here.encoded))
    assert sizes[1] < 0.8 * sizes[0]


def test_a_profile_is_applied_there_too(look: Retoucher, settings: Settings) -> None:
    image = Image(photo(*SHAPE), "jpeg", metadata=Metadata(icc=samples.profile("prophoto")))
    here, there = both(codecs.encode(image, EncodeOptions("jpeg")), look, settings)
    ours, theirs = (codecs.decode(one.encoded) for one in (here, there))
    assert np.abs(ours.pixels.astype(int) - theirs.pixels).mean() < 1
    assert ours.metadata.icc == samples.profile("prophoto")


def test_orientation_profile_and_settings_reach_the_look(
    look: Retoucher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: dict[str, Any] = {}
    monkeypatch.setattr(look, "retouch_jpeg", lambda *_, **asked: heard.update(asked))
    data = codecs.encode(
        Image(photo(*SHAPE), "jpeg", metadata=samples.full_metadata(6)), EncodeOptions("jpeg")
    )
    on_gpu(job(), data, few_cores(look), replace(settings, strength=0.5, light=0.2), Stopwatch())
    asked = {"strength": 0.5, "light": 0.2, "color": None, "orientation": 6, "icc": samples.profile()}
    assert heard == asked


# What the codecs do instead


@pytest.mark.parametrize(
    "data",
    [
        samples.file("png"),
        samples.cmyk_jpeg(samples.cmyk_profile()),
        bytes(
            simplejpeg.encode_jpeg(photo(*SHAPE)[..., :1].copy(), colorspace="GRAY", colorsubsampling="Gray")
        ),
        bytes(simplejpeg.encode_jpeg(photo(*SHAPE), colorsubsampling="440")),
    ],
    ids=["PNG", "CMYK", "grey", "4:4:0"],
)
def test_other_pictures_are_done_by_the_codecs(data: bytes, look: Retoucher, settings: Settings) -> None:
    here, there = both(data, look, settings)
    assert here is None and there.encoded
    assert develop(job(), data, few_cores(look), settings, Stopwatch()) == there


@pytest.mark.parametrize(
    ("output", "format", "asked"),
    [
        ("out/a.png", None, {}),
        ("out/a.jpg", "webp", {}),
        ("out/a.jpg", None, {"strength": 0.0}),
        ("out/a.jpg", None, {"strength": 0.7, "light": 0.0, "color": 0.0}),
    ],
)
def test_other_wishes_are_met_by_the_codecs(
    look: Retoucher, settings: Settings, output: str, format: Any, asked: dict[str, Any]
) -> None:
    one = job(output=output, format=format)
    here, there = both(camera(), look, replace(settings, **asked), one)
    assert here is None and there.encoded


def test_damage_is_an_error_and_never_half_a_picture(look: Retoucher, settings: Settings) -> None:
    data = camera()
    for broken in (data[: len(data) * 2 // 3], data[:-2], data[:40]):
        with pytest.raises(DecodeError, match="restore it from a backup"):
            develop(job(), broken, few_cores(look), settings, Stopwatch())


def test_too_many_pixels_and_too_few_are_the_same_errors(look: Retoucher, settings: Settings) -> None:
    with pytest.raises(TooLargeError):
        develop(job(), camera(), few_cores(look), replace(settings, max_megapixels=0.001), Stopwatch())
    tiny = bytes(simplejpeg.encode_jpeg(photo(4, 4)))
    with pytest.raises(TooSmallError):
        develop(job(), tiny, few_cores(look), settings, Stopwatch())


def nothing(*_: Any) -> None:
    return None


@pytest.mark.parametrize("step", ["decode", "encode"])
@pytest.mark.parametrize(
    "gives", [nothing, lambda *_: b"\xff\xd8not what was asked for\xff\xd9"], ids=["none", "other"]
)
def test_a_photo_that_nvimagecodec_fails_on_is_done_by_the_codecs(
    look: Retoucher, settings: Settings, monkeypatch: pytest.MonkeyPatch, step: str, gives: Any
) -> None:
    wanted = by_codecs(job(), camera(), few_cores(look), settings, Stopwatch())
    monkeypatch.setattr(look.scans, step, nothing if step == "decode" else gives)
    assert develop(job(), camera(), few_cores(look), settings, Stopwatch()) == wanted


def test_without_nvimagecodec_nothing_is_taken_apart(
    look: Retoucher, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    look.scans = None
    monkeypatch.setattr("lptn_cli.codecs.jpeg_scans.apart", lambda *_: pytest.fail("taken apart"))
    assert develop(job(), camera(), few_cores(look), settings, Stopwatch()).encoded


def test_the_time_of_every_step_is_told(look: Retoucher, settings: Settings) -> None:
    watch = Stopwatch()
    assert on_gpu(job(), camera(), few_cores(look), settings, watch)
    assert list(watch.laps) == ["decode", "wait", "look", "encode"]


def test_many_cores_keep_jpegs_to_themselves(look: Retoucher, settings: Settings) -> None:
    many, two_gpus = Devices([look], cores=16), Devices([look, look], cores=16)
    assert not many.take_jpegs
    assert two_gpus.take_jpegs
    assert on_gpu(job(), camera(), many, settings, Stopwatch()) is None
    assert develop(job(), camera(), many, settings, Stopwatch()).encoded
