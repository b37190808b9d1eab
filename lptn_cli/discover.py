"""Which photos there are: files that are named, folders that are walked."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import NamedTuple

from lptn_cli import storage
from lptn_cli.codecs.formats import SUFFIXES
from lptn_cli.globs import matches
from lptn_cli.photos import MANIFEST, OWN_PICTURES, PARTS, TRAINING, Photo, why_not
from lptn_cli.storage import Remote

IsResult = Callable[[Path], bool]

# Parameters of the signed addresses of S3, Google Cloud Storage, CloudFront and Azure.
SIGNING = re.compile(
    r"x-(amz|goog)-.*|awsaccesskeyid|googleaccessid|signature|expires|policy|key-pair-id|response-.*"
    r"|s[ivprest]|srt|spr|sig|sk(oid|tid|[testv])",
    re.IGNORECASE,
)


def _all_below(folder: Path) -> IsResult:
    """Takes every file below the folder for a result."""
    return lambda _: True


def discover(
    inputs: Sequence[Path],
    *,
    recursive: bool = True,
    include: Sequence[str] = (),
    exclude: Sequence[str] = (),
    limit: int | None = None,
    skip: Path | None = None,
    mirrored: Sequence[Path] = (),
    is_result: IsResult | None = None,
    is_named_result: IsResult | None = None,
    results_in: Callable[[Path], IsResult] = _all_below,
    passed_over: list[Path] | None = None,
) -> list[Photo]:
    """Every photo in the inputs, each once, in a stable order: a folder's files by name, then its folders; of
    one folder that was given, what links lead to comes last.

    include, exclude: globs on the path below the folder. One without a slash matches the name of the photo or
    of any folder above it; one with a slash is matched from the given folder down, `**` standing for any
    folders; one that matches a folder matches all below it. Case counts. Files in `inputs` are always taken.
    skip: the output folder, passed over wherever it is met, but for an input that is it alone or lies in it.
    is_result: says which files are results of earlier runs in `skip`, and photos only where given alone.
    is_named_result: the same, where that is None, of files that are named and not found.
    results_in: the same for a folder below with a manifest of an earlier run; passed_over gets it where there
    are such. What training and --compare have made is passed over too.
    mirrored: further inputs, from a list; a file's own folders are kept in `relative` where they lead down,
    and those of a URL below its scheme.
    What cannot be listed or is not there becomes a Photo with a `problem`, so that it is one failed line.
    """
    taken: set[bytes] = set()  # digests: the paths of a million photos would be 200 MB
    photos: list[Photo] = []
    real_skip = _real(skip) if skip is not None else None
    mirrored_set = set(mirrored)
    passed = [] if passed_over is None else passed_over
    several = len(inputs) + len(mirrored) > 1
    is_named_result = is_result or is_named_result
    for path in [*inputs, *mirrored]:
        if is_folder(path):
            real = _real(path)
            if real == real_skip and len(inputs) > 1:  # `lptn retouch * -o out`, run again
                continue
            never = None if _inside(real, real_skip) else real_skip
            walk = _Walk(path, recursive, include, exclude, never, results_in, passed)
            found = walk.photos(is_result)
        elif several and is_named_result and is_named_result(path):  # `*.jpg -o .`, run again
            if path.parent not in passed:
                passed.append(path.parent)
            continue
        else:
            name = unsigned(path)
            leads_down = path in mirrored_set and not path.is_absolute() and ".." not in path.parts
            below = PurePath(*name.parts[1:]) if isinstance(path, Remote) else path
            found = iter([_named(path, below if leads_down else PurePath(name.name))])
        for location, photo in found:
            if limit is not None and len(photos) >= limit:
                return photos
            digest = hashlib.blake2b(location.encode("utf-8", "surrogatepass"), digest_size=16).digest()
            if digest not in taken:
                taken.add(digest)
                photos.append(photo)
    return photos


def is_folder(place: Path) -> bool:
    """Never raises: a bucket that cannot be asked is taken for a file, which then says why."""
    if not isinstance(place, Remote):
        return os.path.isdir(place)  # noqa: PTH112  Path.is_dir raises where the way is forbidden
    try:
        return storage.is_folder(place)
    except OSError:
        return False


def unsigned(path: Path) -> Path:
    """A web address without its query, where that does nothing but sign it; else the path itself."""
    if not storage.is_web(path):
        return path
    address, _, query = str(path).partition("?")
    names = [part.partition("=")[0] for part in query.split("&")]
    return storage.located(address) if query and all(map(SIGNING.fullmatch, names)) else path


def _real(place: Path) -> str:
    return str(place) if isinstance(place, Remote) else os.path.realpath(place)


def _named(path: Path, relative: PurePath) -> tuple[str, Photo]:
    if isinstance(path, Remote):
        return str(path), _named_object(path, relative)
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name, from a list of files
        return str(path.absolute()), Photo(path, relative, 0, 0, why_not(error, "no such file"))
    return os.path.realpath(path), Photo(path, relative, status.st_size, status.st_mtime_ns)


def _named_object(path: Remote, relative: PurePath) -> Photo:
    try:
        status = storage.status(path)
    except OSError as error:
        return Photo(path, relative, 0, 0, storage.explained(error))
    if status is None:
        return Photo(path, relative, 0, 0, "no such file")
    return Photo(path, relative, status.st_size, status.st_mtime_ns)


class _Folder(NamedTuple):
    """One on the way of a walk: its path, that below the top, the real one, and what knows results in it."""

    path: Path
    below: PurePath
    real: str
    known: list[tuple[Path, IsResult]]


@dataclass(frozen=True)
class _Walk:
    """One folder that was given, as `discover` says."""

    top: Path
    recursive: bool
    include: Sequence[str]
    exclude: Sequence[str]
    skip: str | None
    results_in: Callable[[Path], IsResult]
    passed_over: list[Path]

    def photos(self, is_result: IsResult | None) -> Iterator[tuple[str, Photo]]:
        """(real location, photo) of all below `top`. A tree may be deeper than Python recurses."""
        visited: set[tuple[int, int]] = set()
        known = [(self.top, is_result)] if is_result else []
        stack = [_Folder(self.top, PurePath(), _real(self.top), known)]
        linked: list[tuple[str, Photo]] = []  # links come last: what lies here itself keeps its place
        linked_folders: list[_Folder] = []
        while stack or linked or linked_folders:
            if not stack:
                yield from linked
                stack, linked, linked_folders = linked_folders[::-1], [], []
                continue
            folder, relative, real, known = stack.pop()
            try:
                entries = _listed(folder, visited)
            except OSError as error:
                name = PurePath(folder.name) if folder == self.top else relative
                why = storage.explained(error) if isinstance(folder, Remote) else why_not(error, "gone")
                yield real, Photo(folder, name, 0, 0, f"the folder cannot be listed: {why}")
                continue
            if folder != self.top and _holds_results(real, entries):
                known = [*known, (folder, self.results_in(folder))]
            folders: list[_Folder] = []
            for entry in entries:
                below = relative / entry.name
                if entry.name[0] == "." or any(matches(below, glob) for glob in self.exclude):
                    continue
                location = os.path.join(real, entry.name)  # noqa: PTH118  a str, for speed
                is_link = entry.is_symlink()
                if is_link:
                    location = os.path.realpath(location)
                if _is_folder(entry):
                    if self.recursive and not _inside(location, self.skip) and not _is_made(location):
                        to = linked_folders if is_link else folders
                        to.append(_Folder(folder / entry.name, below, location, known))
                elif self._takes(below) and not self._is_result(folder / entry.name, known):
                    found = location, _entry_photo(folder / entry.name, below, entry)
                    if is_link:
                        linked.append(found)
                    else:
                        yield found
            stack.extend(reversed(folders))

    def _takes(self, below: PurePath) -> bool:
        included = not self.include or any(matches(below, glob) for glob in self.include)
        return included and below.suffix.lower() in SUFFIXES

    def _is_result(self, path: Path, known: Sequence[tuple[Path, IsResult]]) -> bool:
        for folder, is_result in known:
            if is_result(path):
                if folder != self.top and folder not in self.passed_over:
                    self.passed_over.append(folder)
                return True
        return False


def _listed(folder: Path, visited: set[tuple[int, int]]) -> Sequence[os.DirEntry[str] | storage.Entry]:
    """What is in the folder by name; nothing on a second visit, which ends loops."""
    if isinstance(folder, Remote):
        return sorted(storage.entries(folder), key=lambda entry: entry.name)
    status = folder.stat()
    if (status.st_dev, status.st_ino) in visited:
        return []
    visited.add((status.st_dev, status.st_ino))
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _is_made(folder: str) -> bool:
    """Whether lptn put pictures of photos there: pages of --compare, contact sheets of training."""
    marked = os.path.lexists(os.path.join(folder, OWN_PICTURES))  # noqa: PTH118
    return marked or os.path.basename(folder) == TRAINING  # noqa: PTH119


def _holds_results(real: str, entries: Sequence[os.DirEntry[str] | storage.Entry]) -> bool:
    """Whether an earlier run wrote results there. A run that wrote none leaves an empty manifest."""
    names = {entry.name for entry in entries if entry.name in (MANIFEST, PARTS)}
    return PARTS in names or (MANIFEST in names and _size(os.path.join(real, MANIFEST)) > 0)  # noqa: PTH118


def _size(file: str) -> int:
    try:
        return os.stat(file).st_size  # noqa: PTH116
    except OSError:
        return 0


def _is_folder(entry: os.DirEntry[str] | storage.Entry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a symlink that goes round in circles: judged by its suffix, fails when read
        return False


def _entry_photo(path: Path, relative: PurePath, entry: os.DirEntry[str] | storage.Entry) -> Photo:
    try:
        status = entry.stat()
    except OSError as error:
        return Photo(path, relative, 0, 0, why_not(error, "it is a link to a file that is not there"))
    return Photo(path, relative, status.st_size, status.st_mtime_ns)


def _inside(real: str, folder: str | None) -> bool:
    return folder is not None and (real == folder or real.startswith(folder.rstrip("/") + "/"))
