"""The demo's photographs, rendered: no picture of anybody else is needed to show what the looks do.

Run `python -m demo.scenes FOLDER [SCALE]` to write the demo's input folder.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import Image

from demo.scene_camera import as_raw, expose
from demo.scene_noise import F32
from demo.scene_sets import lake, meadow, skyline, street, village

Scene = Callable[[int, int, int], F32]

LEAST = 360  # pixels: a smaller picture is rendered larger and shrunk, so that it is the same picture

SCENES: dict[str, Scene] = {
    "lake": lake,
    "skyline": skyline,
    "street": street,
    "meadow": meadow,
    "village": village,
}


def render(name: str, width: int = 3840, height: int = 2160, seed: int = 1) -> F32:
    """The scene as a camera took it: (height, width, 3) sRGB in [0, 1]; the same for the same arguments.

    Another size shows the same picture; `street` is composed upright, the others lie. Raises KeyError for an
    unknown name.
    """
    grow = max(1, -(-LEAST // max(width, height)))
    picture = SCENES[name](width * grow, height * grow, seed)
    if grow > 1:
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.float32)
    detail = max(width, height) / 3840
    return expose(picture, seed, 0.55 * min(1.0, detail), 0.009 * min(1.0, 0.4 + 0.6 * detail))


def _exif(orientation: int, moment: str) -> bytes:
    """An EXIF block: camera, time, orientation, and the island of Null (0 N 0 E) as the place."""
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "lptn demo", "Rendered scene"
    exif[0x0112] = orientation
    exif[0x0132] = moment
    shot = exif.get_ifd(0x8769)
    shot[0x9003] = shot[0x9004] = moment
    shot[0x829A], shot[0x829D], shot[0x8827] = 0.004, 8.0, 100
    place = exif.get_ifd(0x8825)
    place[1], place[2], place[3], place[4] = "N", (0.0, 0.0, 0.0), "E", (0.0, 0.0, 0.0)
    return exif.tobytes()


def _jpeg(path: Path, picture: F32, moment: str, orientation: int = 1) -> None:
    """Write (H, W, 3) sRGB as an 8-bit JPEG with EXIF. The pixels are written as they are given."""
    pixels = np.ascontiguousarray(np.round(picture * 255), np.uint8)
    data = simplejpeg.encode_jpeg(pixels, quality=95, colorspace="RGB", colorsubsampling="444")
    exif = _exif(orientation, moment)
    block = b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif
    path.write_bytes(data[:2] + block + data[2:])


def _png16(path: Path, picture: F32) -> None:
    """Write (H, W, 3) sRGB as a PNG with 16 bits to the sample."""
    pixels = np.round(picture * 65535).astype(np.uint16)
    ok, data = cv2.imencode(".png", pixels[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not ok:
        raise OSError(f"cannot encode {path}")
    path.write_bytes(data.tobytes())


def write_demo_photos(folder: Path, scale: float = 1.0) -> list[Path]:
    """Six photographs under `folder`, as a camera card might hold them; the paths, in writing order.

    4K at scale 1. Three of them look like unedited raw renderings, one is stored rotated (orientation 6),
    one has 16 bits.
    """
    wide, high, small, low = (round(scale * n) for n in (3840, 2160, 2400, 1600))
    for part in ("mountains", "city", "country"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    paths = [
        folder / "mountains" / "lake.jpg",
        folder / "mountains" / "ridge-16bit.png",
        folder / "city" / "skyline.jpg",
        folder / "city" / "street-portrait.jpg",
        folder / "country" / "meadow.jpg",
        folder / "country" / "village.jpg",
    ]
    _jpeg(paths[0], as_raw(render("lake", wide, high, 1), 1), "2025:07:12 11:42:10")
    _png16(paths[1], as_raw(render("lake", small, low, 2), 2))
    _jpeg(paths[2], render("skyline", wide, high, 1), "2025:07:14 16:05:31")
    upright = render("street", high, wide, 1)
    # orientation 6: the viewer turns the stored picture a quarter to the right
    _jpeg(paths[3], np.rot90(upright), "2025:07:14 17:20:02", orientation=6)
    _jpeg(paths[4], as_raw(render("meadow", wide, high, 1), 3), "2025:07:15 10:11:45")
    _jpeg(paths[5], render("village", wide, high, 1), "2025:07:15 15:33:09")
    return paths


if __name__ == "__main__":
    for written in write_demo_photos(Path(sys.argv[1]), *map(float, sys.argv[2:3])):
        print(written)
