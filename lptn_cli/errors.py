"""Every error that lptn raises on purpose. Its text is one line: the file, the fact, the remedy.

LptnError
├── UsageError              a bad option, template or plan             exit 2
├── NoPhotosError           nothing to do in the inputs                exit 3
├── StartError              the run cannot start                       exit 4
│   ├── PresetError         weights missing, of the wrong hash or shape
│   ├── DeviceError         the device is not there
│   ├── OutputError         stdout, the output folder, a preset or a sheet cannot be written
│   └── StoppedError        a stop was asked before there was a preset to make
└── PhotoError              one photo failed, the batch goes on        exit 1 at the end
    ├── ReadError           read
    ├── DecodeError         decode
    ├── UnsupportedError    unsupported
    ├── TooSmallError       too-small
    ├── TooLargeError       too-large
    ├── NoMemoryError       memory
    ├── EncodeError         encode
    └── WriteError          write
"""

from __future__ import annotations

from typing import ClassVar


class LptnError(Exception):
    """Base of all; `exit_code` is what the command line ends with (man lptn, EXIT STATUS)."""

    exit_code: ClassVar[int] = 1


class UsageError(LptnError):
    exit_code = 2


class NoPhotosError(LptnError):
    exit_code = 3


class StartError(LptnError):
    exit_code = 4


class PresetError(StartError):
    pass


class DeviceError(StartError):
    pass


class OutputError(StartError):
    pass


class StoppedError(StartError):
    """A stop was asked before there was a preset to make."""


class PhotoError(LptnError):
    """One photo failed; `kind` is the word that `--json` shows as `error`."""

    kind: ClassVar[str] = "internal"


class ReadError(PhotoError):
    kind = "read"


class DecodeError(PhotoError):
    kind = "decode"


class UnsupportedError(PhotoError):
    kind = "unsupported"


class TooSmallError(PhotoError):
    kind = "too-small"


class TooLargeError(PhotoError):
    kind = "too-large"


class NoMemoryError(PhotoError):
    kind = "memory"


OUT_OF_MEMORY = "not enough memory; use fewer --jobs or a smaller photo"


class EncodeError(PhotoError):
    kind = "encode"


class WriteError(PhotoError):
    kind = "write"


def first_line(error: BaseException) -> str:
    """Of what a library says of its error, or its name."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
