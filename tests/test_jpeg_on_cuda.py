"""Scans to pixels and back by nvImageCodec: on its CPU backend, and on a GPU where there is one."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import PIL.Image
import pytest
import simplejpeg
import torch

from lptn_cli import jpeg_on_cuda
from lptn_cli.codecs.image import Chroma
from lptn_cli.jpeg_on_cuda import ScanCodec, scan_codec
from tests.command import environment
from tests.conftest import photo

pytest.importorskip("nvidia.nvimgcodec")

DEVICES = [torch.device("cpu")] + [torch.device("cuda")] * torch.cuda.is_available()
SAMPLINGS: tuple[Chroma, ...] = ("444", "422", "420")


@pytest.fixture(scope="module", params=DEVICES, ids=str)
def codec(request: pytest.FixtureRequest) -> ScanCodec:
    found = scan_codec(request.param)
    assert found is not None
    return found


def decoded(data: bytes) -> Any:
    return simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False)


def check(codec: ScanCodec, data: bytes) -> None:
    """On the CPU the pixels are those of libjpeg-turbo; a GPU rounds otherwise and may refuse tiny ones."""
    pixels = codec.decode(data)
    if pixels is None and codec.device.type == "cuda" and min(decoded(data).shape[:2]) < 16:
        pytest.skip("left to the CPU's codecs")
    assert pixels is not None and pixels.device.type == codec.device.type and pixels.is_contiguous()
    difference = np.abs(pixels.cpu().numpy().astype(int) - decoded(data))
    assert difference.max() == 0 if codec.device.type == "cpu" else difference.mean() < 1


@pytest.mark.parametrize("subsampling", SAMPLINGS)
@pytest.mark.parametrize("shape", [(64, 96), (61, 83), (1, 7), (300, 17)], ids=str)
def test_decoded_pixels_are_those_of_libjpeg_turbo(
    codec: ScanCodec, shape: tuple[int, int], subsampling: str
) -> None:
    check(codec, simplejpeg.encode_jpeg(photo(*shape), 92, colorsubsampling=subsampling))


@pytest.mark.parametrize("options", [{"progressive": True}, {"restart_marker_blocks": 3}], ids=str)
def test_progressive_and_restarted_scans_are_decoded(codec: ScanCodec, options: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    PIL.Image.fromarray(photo(61, 83)).save(buffer, "JPEG", quality=92, **options)
    check(codec, buffer.getvalue())


@pytest.mark.parametrize("orientation", [3, 6])
def test_pixels_are_never_rotated(codec: ScanCodec, orientation: int) -> None:
    exif, buffer = PIL.Image.Exif(), io.BytesIO()
    exif[0x0112] = orientation
    PIL.Image.fromarray(photo(61, 83)).save(buffer, "JPEG", quality=92, exif=exif)
    check(codec, buffer.getvalue())


@pytest.mark.parametrize("subsampling", SAMPLINGS)
@pytest.mark.parametrize("quality", [100, 95, 60])
def test_encoded_is_as_near_as_what_libjpeg_turbo_encodes(
    codec: ScanCodec, quality: int, subsampling: Chroma
) -> None:
    pixels = photo(61, 83)
    data = codec.encode(torch.from_numpy(pixels).to(codec.device), quality, subsampling)
    assert data is not None
    assert simplejpeg.decode_jpeg_header(data) == (61, 83, "YCbCr", subsampling)
    wanted = simplejpeg.encode_jpeg(pixels, quality, colorsubsampling=subsampling, fastdct=False)
    ours, theirs = (np.abs(decoded(one).astype(int) - pixels).mean() for one in (data, wanted))
    assert ours < 1.1 * theirs + 0.2
    assert len(data) < 1.15 * len(wanted) + 100


def test_what_cannot_be_decoded_or_encoded_gives_nothing(codec: ScanCodec) -> None:
    whole = bytes(simplejpeg.encode_jpeg(photo(61, 83)))
    for data in (b"", b"nonsense", whole[:30], b"\x89PNG\r\n\x1a\n" + whole):
        assert codec.decode(data) is None
    assert codec.encode(torch.zeros(8, 8, 3, dtype=torch.float64, device=codec.device), 95, "444") is None
    check(codec, whole)  # and it goes on


def test_errors_of_the_library_give_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def decode(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("CUDA Runtime failure: '#2'")

        encode = decode

    codec = ScanCodec(torch.device("cpu"))
    codec._idle.clear()
    monkeypatch.setattr(codec, "_made", lambda: (Broken(), Broken()))
    assert codec.decode(bytes(simplejpeg.encode_jpeg(photo(16, 16)))) is None
    assert codec.encode(torch.from_numpy(photo(16, 16)), 95, "444") is None
    assert not codec._idle  # what failed is not used again


def test_threads_share_a_codec_and_get_their_own_pictures(codec: ScanCodec) -> None:
    files = [bytes(simplejpeg.encode_jpeg(photo(61 + n, 83, seed=n))) for n in range(24)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda data: check(codec, data), files))
    assert 1 <= len(codec._idle) <= 6


def test_without_the_library_there_is_no_codec_and_doctor_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert jpeg_on_cuda.told().startswith("nvImageCodec 0.")

    def missing() -> None:
        raise ModuleNotFoundError("No module named 'nvidia'")

    monkeypatch.setattr(jpeg_on_cuda, "_library", missing)
    assert scan_codec.__wrapped__(torch.device("cpu")) is None
    assert jpeg_on_cuda.told() == "missing; pip install 'lptn[gpu]'"


def test_a_codec_that_gives_other_pictures_back_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    encode = ScanCodec.encode
    monkeypatch.setattr(ScanCodec, "encode", lambda self, pixels, *rest: encode(self, 255 - pixels, *rest))
    assert scan_codec.__wrapped__(torch.device("cpu")) is None


def test_loading_it_says_nothing() -> None:
    code = (
        "import torch; from lptn_cli.jpeg_on_cuda import scan_codec\n"
        "codec = scan_codec(torch.device('cpu'))\n"
        "assert codec and codec.decode(b'nonsense') is None\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment(), timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
