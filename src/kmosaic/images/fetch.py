"""Fetching a data set over HTTPS: mirrors in turn, resumed where broken off, checked before it is named."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from kmosaic.errors import DataError, DownloadError
from kmosaic.images.collection import Progress
from kmosaic.images.idx import GZIP_MAGIC, read_idx
from kmosaic.images.partfile import PartFile
from kmosaic.images.registry import (
    DataFile,
    IdxDataset,
    data_folders,
    dataset_entry,
    find_dataset,
    find_file,
)

MIRRORS_VARIABLE = "KMOSAIC_MIRRORS"
# A connection that breaks is taken up again at the same mirror this often, as long as each try brought bytes.
_TRIES = 5
_TIMEOUT = httpx.Timeout(30.0, connect=10.0)
# A timeout is one of each read: a mirror that sends a byte now and then would never meet it.
_PATIENCE = 30.0  # seconds in which an answer must begin, and the least rate be kept
_MIN_RATE = 2_000  # bytes a second: an hour and a half for MNIST
_DEADLINE = 2 * 3600.0  # seconds for all files of a data set
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class _MirrorFailedError(Exception):
    """A mirror that gives no usable file; the message is the reason."""


class _NotPublishedError(Exception):
    """A complete file that is not the published one; the message says in what."""


@dataclass(frozen=True)
class _Job:
    """One file to fetch: which, into which folder, with which client, and whom to tell."""

    entry: IdxDataset
    file: DataFile
    folder: Path
    client: httpx.Client
    progress: Progress | None
    ends: float

    @property
    def part(self) -> PartFile:
        return PartFile(self.folder / f"{self.file.name}.gz.part")

    @property
    def max_bytes(self) -> int:
        """No gzip file of this content is larger: deflate stores what it cannot compress, 5 bytes a block."""
        return self.file.n_bytes + self.file.n_bytes // 100 + 4096

    def report(self, done: int, total: int | None) -> None:
        if self.progress is not None:
            self.progress(done, total, f"downloading {self.entry.name}: {self.file.name}")


def download(
    name: str,
    data_dir: str | os.PathLike[str] | None = None,
    *,
    mirrors: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Make sure that the four files of the data set ``name`` are here and right; return their folder.

    Files already here are checked and kept. Others are fetched from ``mirrors`` (base URLs, tried in turn; by
    default those listed in ``KMOSAIC_MIRRORS``, separated by blanks, each holding a folder for every data
    set, and else the published ones) into ``<data folder>/<name>``. Only HTTPS is spoken, save with this very
    machine. A file gets its name only when whole and its unpacked content has the published checksum; what
    broke off stays beside it as ``.part`` and is taken up by the next call.

    Raises
    ------
    DataError
        When the name is unknown, or a file already here has a wrong checksum.
    DownloadError
        When a file could be had from no mirror, or cannot be written.
    """
    entry = dataset_entry(name)
    folder = find_dataset(name, data_dir) or _download_folder(data_dir) / name
    missing = [file for file in entry.files if not _is_here(folder, file)]
    if not missing:
        return folder
    bases = tuple(mirrors) if mirrors is not None else _configured_mirrors(entry)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with httpx.Client(
            timeout=_TIMEOUT, follow_redirects=True, event_hooks={"request": [_refuse_plain_http]}
        ) as client:
            ends = time.monotonic() + _DEADLINE
            for file in missing:
                _fetch(_Job(entry, file, folder, client, progress, ends), bases)
    except DownloadError:
        raise
    except OSError as error:
        reason = error.strerror or error
        raise DownloadError(
            f"{name} cannot be written to {folder}: {reason}; name another folder "
            "(--data-dir, or data_dir=... in Python)"
        ) from error
    return folder


def _is_here(folder: Path, file: DataFile) -> bool:
    path = find_file(folder, file.name)
    if path is not None:
        read_idx(path, checksum=file.checksum)
    return path is not None


def _download_folder(data_dir: str | os.PathLike[str] | None) -> Path:
    """The first data folder that can be written to: ``KMOSAIC_DATA`` is often a share that cannot."""
    folders = data_folders(data_dir)
    for folder in folders:
        nearest = next((f for f in (folder, *folder.absolute().parents) if f.exists()), folder)
        if os.access(nearest, os.W_OK):
            return folder
    return folders[-1]


def _configured_mirrors(entry: IdxDataset) -> tuple[str, ...]:
    bases = os.environ.get(MIRRORS_VARIABLE, "").split()
    return tuple(f"{base.rstrip('/')}/{entry.name}" for base in bases) or entry.mirrors


def _refuse_plain_http(request: httpx.Request) -> None:
    """Called before every request, redirected ones too."""
    if request.url.scheme != "https" and request.url.host not in _LOOPBACK:
        raise _MirrorFailedError(f"{request.url.scheme}://{request.url.host} is not HTTPS")


def _fetch(job: _Job, bases: Sequence[str]) -> None:
    """Get one file from the first mirror that has it, beginning with the one a broken download came from."""
    urls = [f"{base.rstrip('/')}/{job.file.name}.gz" for base in bases]
    started = job.part.noted("url")
    failures = []
    for url in sorted(urls, key=lambda url: url != started):
        try:
            _fetch_from(url, job)
            return
        except _MirrorFailedError as failure:
            failures.append(f"{_host(url)} ({failure})")
    names = ", ".join(f"{file.name}.gz" for file in job.entry.files)
    raise DownloadError(
        f"{job.entry.name} could not be downloaded; {job.file.name}.gz was tried at: "
        f"{'; '.join(failures) or 'no mirror'}. "
        f"Without a network, put {names} (packed or unpacked) into {job.folder}, or name the folder that has "
        f"them in a sub-folder {job.entry.name} with --data-dir or KMOSAIC_DATA"
    )


def _fetch_from(url: str, job: _Job) -> None:
    """Get one file from one mirror, going on where the connection broke; anew if the pieces do not fit."""
    part = job.part
    reason = ""
    for _ in range(_TRIES):
        offset = part.size if part.noted("url") == url else 0
        try:
            _stream(url, offset, job)
            _publish(job)
            return
        except _NotPublishedError as error:
            part.discard()
            if not offset:
                raise _MirrorFailedError(f"what it sent {error}") from error
            reason = f"its pieces together: {error}"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reason = _in_words(error)
            if part.noted("url") != url or part.size <= offset:
                break
    raise _MirrorFailedError(reason)


def _stream(url: str, offset: int, job: _Job) -> None:
    """Append to the part file from ``offset`` on, or write it anew where the server will not send a part."""
    # Some servers mark .gz files as Content-Encoding gzip; iter_raw keeps the bytes as they are stored.
    headers = {"Accept-Encoding": "identity"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        validator = job.part.noted("validator")
        headers |= {"If-Range": validator} if validator else {}
    with _begun_in_time(job, url, headers) as response:
        if offset and response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is left to send: the part is whole, or the check that follows will tell
        if not response.is_success:
            raise _MirrorFailedError(f"answered {response.status_code} {response.reason_phrase}".rstrip())
        if not offset or response.status_code != httpx.codes.PARTIAL_CONTENT:
            offset = 0
            job.part.start(url, _validator(response))
        elif not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            raise _NotPublishedError("is another part than was asked for")
        _append(response, offset, job)


@contextlib.contextmanager
def _begun_in_time(job: _Job, url: str, headers: Mapping[str, str]) -> Iterator[httpx.Response]:
    """The answer to a request, whose headers must be there in time: else its connection is shut down."""
    connections: list[socket.socket] = []
    late = threading.Event()

    def note(event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            connections.append(info["return_value"].get_extra_info("socket"))

    def shut() -> None:
        late.set()
        for connection in connections:
            with contextlib.suppress(OSError):  # closed already
                connection.shutdown(socket.SHUT_RDWR)

    # A connection of its own, which is then known.
    headers = {**headers, "Connection": "close"}
    timer = threading.Timer(_PATIENCE, shut)
    timer.daemon = True
    timer.start()
    try:
        with job.client.stream("GET", url, headers=headers, extensions={"trace": note}) as response:
            timer.cancel()
            yield response
    except httpx.HTTPError:
        if late.is_set():
            raise _MirrorFailedError(f"no answer in {_PATIENCE:g} s") from None
        raise
    finally:
        timer.cancel()


def _append(response: httpx.Response, offset: int, job: _Job) -> None:
    length = response.headers.get("Content-Length", "")
    total = offset + int(length) if length.isascii() and length.isdigit() else None
    if total is not None and total > job.max_bytes:
        raise _NotPublishedError(f"is {total} bytes long, more than {job.file.name} can be")
    since, had = time.monotonic(), offset
    with job.part.path.open("ab") as out:
        job.report(offset, total)
        # As it comes: gathering larger chunks would lose what was gathered when the connection breaks.
        for chunk in response.iter_raw():
            offset += len(chunk)
            if offset > job.max_bytes:
                raise _NotPublishedError(f"is longer than {job.file.name} can be")
            out.write(chunk)
            job.report(offset, total)
            now = time.monotonic()
            if now > job.ends:
                raise _MirrorFailedError(f"not complete {_DEADLINE / 60:g} minutes after the download began")
            if now - since > _PATIENCE:
                if offset - had < _MIN_RATE * _PATIENCE:
                    raise _MirrorFailedError(f"too slow: {offset - had:,} bytes in {_PATIENCE:g} s")
                since, had = now, offset


def _publish(job: _Job) -> None:
    """Check the whole part file, and give it its final name."""
    part = job.part
    try:
        read_idx(part.path, checksum=job.file.checksum)
    except DataError as error:
        raise _NotPublishedError(str(error).removeprefix(f"{part.path} ").partition(";")[0]) from error
    with part.path.open("rb") as start:
        suffix = ".gz" if start.read(2) == GZIP_MAGIC else ""
    part.path.replace(job.folder / f"{job.file.name}{suffix}")
    part.discard()


def _validator(response: httpx.Response) -> str:
    """What If-Range needs to tell that the file is still the same: a strong ETag, else the date."""
    etag: str = response.headers.get("ETag", "")
    date: str = response.headers.get("Last-Modified", "")
    return etag if etag.startswith('"') else date


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host or url
    except httpx.InvalidURL:
        return url


def _in_words(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    if isinstance(error, httpx.ConnectError):
        return f"no connection: {error}"
    if isinstance(error, httpx.RemoteProtocolError | httpx.ReadError):
        return f"cut off midway: {error}"
    return str(error) or type(error).__name__
