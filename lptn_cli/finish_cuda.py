"""The two full-resolution passes of `finish` as Triton kernels: each value of the photo is read once a pass.

Both work on the interleaved pixels of a photo, (H, W, 3) uint8 or uint16, as they come from the codec. They
run in Triton's interpreter too (TRITON_INTERPRET=1), which is how they are tested without a GPU.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

from lptn_cli.affine import Affine

COLUMNS = 128  # small pixels a program of `_shrink`, each with its three channels in turn
VALUES = 1024  # values a program of `_finish`
OPTIONS = {"num_warps": 4, "enable_fp_fusion": True}  # Triton 3.9 warns where fusion is not said


def shrink(pixels: Tensor, height: int, width: int) -> Tensor:
    """Area-average shrink: (H, W, 3) uint8 or uint16 -> (height, width, 3) float32 in [0, 1], on its device.

    Every pixel counts by the part of it that lies within the small pixel, as in cv2.INTER_AREA.
    """
    tall, wide = pixels.shape[:2]
    small = torch.empty(height, width, 3, device=pixels.device, dtype=torch.float32)
    grid = (height, triton.cdiv(width, COLUMNS), 3)
    window = triton.cdiv(tall, height) + 1, triton.cdiv(wide, width) + 1
    with torch.cuda.device_of(pixels):  # type: ignore[no-untyped-call]  # not on the current device
        _shrink[grid](
            pixels, small, tall, wide, height, width, *window, _top(pixels), COLUMNS=COLUMNS, **OPTIONS
        )
    return small


def finish(pixels: Tensor, look: Affine[Tensor]) -> Tensor:
    """The look on every pixel, clamped and rounded to the nearest level: a new tensor like `pixels`.

    look: contiguous, on the device of the pixels; enlarged linearly, centres of pixels aligned.
    """
    tall, wide = pixels.shape[:2]
    height, width = look.terms.shape[1:3]
    result = torch.empty_like(pixels)
    grid = (tall, triton.cdiv(3 * wide, VALUES))
    with torch.cuda.device_of(pixels):  # type: ignore[no-untyped-call]
        _finish[grid](
            pixels, look.terms, result, tall, wide, height, width, _top(pixels), VALUES=VALUES, **OPTIONS,
        )  # fmt: skip
    return result


def _top(pixels: Tensor) -> float:
    return 255.0 if pixels.dtype == torch.uint8 else 65535.0


@triton.jit  # type: ignore[untyped-decorator]
def _shrink(
    pixels: tl.tensor, small: tl.tensor, tall: int, wide: int, height: int, width: int,
    rows: int, columns: int, top: float, COLUMNS: tl.constexpr,
) -> None:  # fmt: skip
    row, channel = tl.program_id(0), tl.program_id(2)
    column = tl.program_id(1) * COLUMNS + tl.arange(0, COLUMNS)
    step_y, step_x = tall / height, wide / width
    above, below = row * step_y, (row + 1) * step_y
    left, right = column * step_x, (column + 1) * step_x
    first_y, first_x = above.to(tl.int32), left.to(tl.int32)
    total = tl.zeros([COLUMNS], tl.float32)
    for i in range(rows):
        y = first_y + i
        covered_y = tl.minimum(below, y + 1.0) - tl.maximum(above, y * 1.0)
        line = tl.zeros([COLUMNS], tl.float32)
        for j in range(columns):
            x = first_x + j
            covered_x = tl.minimum(right, x + 1.0) - tl.maximum(left, x * 1.0)
            inside = (column < width) & (x < wide) & (covered_x > 0)
            place = (tl.minimum(y, tall - 1).to(tl.int64) * wide + x) * 3 + channel
            value = tl.load(pixels + place, mask=inside, other=0).to(tl.float32)
            line += value * tl.where(inside, covered_x, 0.0)
        total += line * tl.maximum(covered_y, 0.0)
    mean = total / (step_y * step_x * top)
    tl.store(small + (row * width + column) * 3 + channel, mean, mask=column < width)


@triton.jit  # type: ignore[untyped-decorator]
def _finish(
    pixels: tl.tensor, terms: tl.tensor, result: tl.tensor, tall: int, wide: int, height: int, width: int,
    top: float,
    VALUES: tl.constexpr,
) -> None:  # fmt: skip
    row = tl.program_id(0)
    value = tl.program_id(1) * VALUES + tl.arange(0, VALUES)
    inside = value < 3 * wide
    column, channel = value // 3, value % 3
    y = tl.minimum(tl.maximum((row + 0.5) * (height / tall) - 0.5, 0.0), height - 1.0)
    x = tl.minimum(tl.maximum((column + 0.5) * (width / wide) - 0.5, 0.0), width - 1.0)
    y0, x0 = y.to(tl.int32), x.to(tl.int32)
    y1, x1 = tl.minimum(y0 + 1, height - 1), tl.minimum(x0 + 1, width - 1)
    down, along = y - y0, x - x0
    w00, w01 = (1 - down) * (1 - along), (1 - down) * along
    w10, w11 = down * (1 - along), down * along
    p00, p01 = (y0 * width + x0) * 3 + channel, (y0 * width + x1) * 3 + channel
    p10, p11 = (y1 * width + x0) * 3 + channel, (y1 * width + x1) * 3 + channel
    place = row.to(tl.int64) * wide * 3 + value
    level = tl.zeros([VALUES], tl.float32)
    for n in tl.static_range(4):  # of red, green, blue and one
        term = terms + n * height * width * 3
        weight = tl.load(term + p00, mask=inside) * w00 + tl.load(term + p01, mask=inside) * w01
        weight += tl.load(term + p10, mask=inside) * w10 + tl.load(term + p11, mask=inside) * w11
        if n < 3:
            level += weight * tl.load(pixels + place - channel + n, mask=inside, other=0).to(tl.float32)
        else:
            level += weight * top
    level = tl.minimum(tl.maximum(level, 0.0), top)
    tl.store(result + place, (level + 0.5).to(tl.int32).to(result.dtype.element_ty), mask=inside)
