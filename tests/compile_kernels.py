"""Compile the kernels of lptn_cli.finish_cuda for a GPU of some compute capability; it need not be there.

    python -m tests.compile_kernels 90

With each set of integers that are 1, which Triton takes for constants and so compiles anew.
"""

from __future__ import annotations

import sys
from typing import Any

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from lptn_cli import finish_cuda

SIZES = ("tall", "wide", "height", "width")
INTEGERS = {finish_cuda._shrink: (*SIZES, "rows", "columns"), finish_cuda._finish: SIZES}


def main() -> None:
    target = GPUTarget("cuda", int(sys.argv[1]), 32)
    sources = [_source(*said) for said in _cases()]
    for source in sources:
        triton.compile(source, target=target, options=finish_cuda.OPTIONS)
    print(f"compiled {len(sources)}")


def _cases() -> list[tuple[Any, str, tuple[str, ...]]]:
    return [
        (kernel, pixels, ones)
        for kernel, integers in INTEGERS.items()
        for pixels in ("*u8", "*u16")
        for ones in ((), ("height", "width"), integers)
    ]


def _source(kernel: Any, pixels: str, ones: tuple[str, ...]) -> Any:
    integers = dict.fromkeys(INTEGERS[kernel], "i32") | dict.fromkeys(ones, "constexpr")
    if kernel is finish_cuda._shrink:
        tensors, block = {"pixels": pixels, "small": "*fp32"}, "COLUMNS"
    else:
        tensors, block = {"pixels": pixels, "terms": "*fp32", "result": pixels}, "VALUES"
    constants = dict.fromkeys(ones, 1) | {block: getattr(finish_cuda, block)}
    signature = {**tensors, **integers, "top": "fp32", block: "constexpr"}
    return ASTSource(fn=kernel, signature=signature, constexprs=constants)


if __name__ == "__main__":
    main()
