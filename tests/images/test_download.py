"""Downloads against a server of our own on this machine, which can break off, change its mind and lie."""

from __future__ import annotations

import gzip
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from kmosaic.errors import DataError, DownloadError
from kmosaic.images import ReadOptions, catalogue, download, fetch, load_dataset, registry
from kmosaic.images.registry import IDX_DATASETS, DataFile, IdxDataset

TRAIN_IMAGES = "train-images-idx3-ubyte"


@dataclass
class Mirror:
    """What the server holds and how it behaves, and the requests it got."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    cut_after: list[int] = field(default_factory=list)  # one entry an answer: bytes sent before it breaks off
    ranges: bool = True
    shift: int = 0  # answers with another part than asked for
    etag: str = '"first"'
    status: int = 200
    redirect: str = ""
    length_stated: bool = True
    trickle: str = ""  # sends "headers" or "body" a byte at a time
    ranges_asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)


class QuietServer(ThreadingHTTPServer):
    """A client that hangs up is part of these tests, and no reason to print."""

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep quiet."""


class Handler(BaseHTTPRequestHandler):
    mirror: Mirror

    def do_GET(self) -> None:
        mirror, name = self.mirror, self.path.rpartition("/")[2]
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        mirror.ranges_asked.append((name, asked, condition))
        if mirror.redirect:
            self.send_response(302)
            self.send_header("Location", mirror.redirect + self.path)
            self.end_headers()
            return
        if mirror.status != 200 or name not in mirror.files:
            self.send_error(mirror.status if mirror.status != 200 else 404)
            return
        self.send_content(mirror.files[name], asked if condition in (None, mirror.etag) else None)

    def send_content(self, content: bytes, asked: str | None) -> None:
        start = 0
        if asked and self.mirror.ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(content):
                self.send_error(416)
                return
            start += self.mirror.shift
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        else:
            self.send_response(200)
        body = content[start:]
        if self.mirror.trickle == "headers":
            self.flush_headers()
            self.send_slowly(b"X-Slow: " + b"x" * 1000)
        if self.mirror.length_stated:
            self.send_header("Content-Length", str(len(body)))
        if self.mirror.etag:
            self.send_header("ETag", self.mirror.etag)
        self.end_headers()
        cut = self.mirror.cut_after.pop(0) if self.mirror.cut_after else len(body)
        if self.mirror.trickle == "body":
            self.send_slowly(body)
        self.wfile.write(body[:cut])

    def send_slowly(self, data: bytes) -> None:
        for byte in data:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            time.sleep(0.02)

    def log_message(self, format: str, *arguments: object) -> None:
        """Keep quiet."""


@pytest.fixture
def start_mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Mirror]]:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    servers = []

    def start(**behaviour: Any) -> Mirror:
        mirror = Mirror(**behaviour)
        server = QuietServer(("127.0.0.1", 0), type("Bound", (Handler,), {"mirror": mirror}))
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        mirror.url = f"http://127.0.0.1:{server.server_port}"
        return mirror

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def tiny(idx_bytes: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """A data set "mnist" of 30 training and 10 test images in the catalogue's place; its packed files."""
    generator = np.random.default_rng(3)
    arrays = [
        generator.integers(0, 256, (30, 6, 5), dtype=np.uint8),
        np.arange(30, dtype=np.uint8) % 10,
        generator.integers(0, 256, (10, 6, 5), dtype=np.uint8),
        np.arange(10, dtype=np.uint8),
    ]
    real = IDX_DATASETS["mnist"]
    entries, files = [], {}
    for array, file in zip(arrays, real.files, strict=True):
        content, name = idx_bytes(array), file.name
        files[f"{name}.gz"] = gzip.compress(content)
        checksum = f"sha256:{hashlib.sha256(content).hexdigest()}"
        entries.append(DataFile(name, len(content), len(files[f"{name}.gz"]), checksum))
    fake: IdxDataset = replace(real, mirrors=(), files=tuple(entries))
    monkeypatch.setitem(registry.IDX_DATASETS, "mnist", fake)
    return files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_fetches_four_files_and_tells_of_progress(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    told: list[tuple[int, int | None, str]] = []
    folder = download(
        "mnist",
        tmp_path / "data",
        mirrors=[start_mirror(files=tiny).url],
        progress=lambda done, total, what: told.append((done, total, what)),
    )
    assert folder == tmp_path / "data" / "mnist"
    assert names(folder) == sorted(tiny)
    for name, content in tiny.items():
        assert (folder / name).read_bytes() == content
        of_file = [call for call in told if call[2] == f"downloading mnist: {name.removesuffix('.gz')}"]
        assert of_file[0] == (0, len(content), of_file[0][2])
        assert of_file[-1][0] == len(content)


def test_a_second_call_asks_no_server(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny)
    first = download("mnist", tmp_path, mirrors=[mirror.url])
    asked = len(mirror.ranges_asked)
    assert download("mnist", tmp_path, mirrors=[mirror.url]) == first
    assert len(mirror.ranges_asked) == asked == 4


def test_only_missing_files_are_fetched(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny)
    folder = download("mnist", tmp_path, mirrors=[mirror.url])
    (folder / f"{TRAIN_IMAGES}.gz").unlink()
    mirror.ranges_asked.clear()
    download("mnist", tmp_path, mirrors=[mirror.url])
    assert [asked[0] for asked in mirror.ranges_asked] == [f"{TRAIN_IMAGES}.gz"]


def test_a_connection_cut_midway_goes_on_where_it_broke(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny, cut_after=[100, 50])
    folder = download("mnist", tmp_path, mirrors=[mirror.url])
    assert [asked[1:] for asked in mirror.ranges_asked[:3]] == [
        (None, None),
        ("bytes=100-", '"first"'),
        ("bytes=150-", '"first"'),
    ]
    assert (folder / f"{TRAIN_IMAGES}.gz").read_bytes() == tiny[f"{TRAIN_IMAGES}.gz"]
    assert names(folder) == sorted(tiny)


def test_a_mirror_that_always_breaks_leaves_only_a_part_file_which_the_next_call_takes_up(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny, cut_after=[100, 0])
    with pytest.raises(DownloadError, match="cut off midway"):
        download("mnist", tmp_path, mirrors=[mirror.url])
    assert names(tmp_path) == [f"{TRAIN_IMAGES}.gz.part", f"{TRAIN_IMAGES}.gz.part.json"]
    assert catalogue(tmp_path)[1].status == "downloadable"

    mirror.ranges_asked.clear()
    other = start_mirror(files=tiny)
    folder = download("mnist", tmp_path, mirrors=[other.url, mirror.url])
    assert mirror.ranges_asked == [(f"{TRAIN_IMAGES}.gz", "bytes=100-", '"first"')]
    assert names(folder) == sorted(tiny)


def test_an_interrupt_keeps_the_part_and_names_nothing(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    def interrupt(done: int, *_: object) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        download("mnist", tmp_path, mirrors=[start_mirror(files=tiny).url], progress=interrupt)
    assert names(tmp_path) == [f"{TRAIN_IMAGES}.gz.part", f"{TRAIN_IMAGES}.gz.part.json"]


@pytest.mark.parametrize("behaviour", [{"etag": '"second"'}, {"ranges": False}])
def test_a_part_of_what_has_changed_is_not_built_on(
    behaviour: dict[str, Any], start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny, cut_after=[100, 0])
    with pytest.raises(DownloadError):
        download("mnist", tmp_path, mirrors=[mirror.url])
    for name, value in behaviour.items():
        setattr(mirror, name, value)
    folder = download("mnist", tmp_path, mirrors=[mirror.url])
    assert (folder / f"{TRAIN_IMAGES}.gz").read_bytes() == tiny[f"{TRAIN_IMAGES}.gz"]


def test_pieces_that_do_not_fit_are_fetched_anew(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny, cut_after=[100, 0], etag="")
    with pytest.raises(DownloadError):
        download("mnist", tmp_path, mirrors=[mirror.url])
    part = tmp_path / "mnist" / f"{TRAIN_IMAGES}.gz.part"
    part.write_bytes(bytes(100))
    mirror.ranges_asked.clear()
    download("mnist", tmp_path, mirrors=[mirror.url])
    assert [asked[1] for asked in mirror.ranges_asked[:2]] == ["bytes=100-", None]


def test_a_server_that_sends_another_part(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny, cut_after=[100], shift=10)
    folder = download("mnist", tmp_path, mirrors=[mirror.url])
    assert [asked[1] for asked in mirror.ranges_asked[:3]] == [None, "bytes=100-", None]
    assert (folder / f"{TRAIN_IMAGES}.gz").read_bytes() == tiny[f"{TRAIN_IMAGES}.gz"]


def test_a_part_that_was_whole_already_is_given_its_name(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny, cut_after=[100, 0])
    with pytest.raises(DownloadError):
        download("mnist", tmp_path, mirrors=[mirror.url])
    (tmp_path / "mnist" / f"{TRAIN_IMAGES}.gz.part").write_bytes(tiny[f"{TRAIN_IMAGES}.gz"])
    assert names(download("mnist", tmp_path, mirrors=[mirror.url])) == sorted(tiny)


def test_mirrors_are_tried_in_turn(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    broken, empty, good = start_mirror(status=503), start_mirror(), start_mirror(files=tiny)
    folder = download("mnist", tmp_path, mirrors=[broken.url, empty.url, good.url])
    assert names(folder) == sorted(tiny)
    assert len(broken.ranges_asked) == len(empty.ranges_asked) == 4


def test_the_mirrors_variable_holds_folders_by_name(
    start_mirror: Callable[..., Mirror],
    tiny: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "KMOSAIC_MIRRORS", f"{start_mirror(status=404).url}/a  {start_mirror(files=tiny).url}/b/"
    )
    dataset = load_dataset("mnist", ReadOptions(data_dir=tmp_path))
    assert dataset.test is not None
    assert (len(dataset.train), len(dataset.test), dataset.test_origin) == (30, 10, "published split")


def test_something_else_than_the_file(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    for content, reason in [
        (b"<html>Please log in to this network</html>", "IDX"),
        (gzip.compress(bytes(10)), "IDX"),
        (b"", "IDX"),
        (bytes(2_000_000), "2000000 bytes"),
    ]:
        mirror = start_mirror(files=tiny | {f"{TRAIN_IMAGES}.gz": content})
        with pytest.raises(DownloadError, match=f"127.0.0.1.*{reason}"):
            download("mnist", tmp_path, mirrors=[mirror.url])
        assert names(tmp_path) == []


def test_a_wrong_checksum(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    content = bytearray(gzip.decompress(tiny[f"{TRAIN_IMAGES}.gz"]))
    content[-1] ^= 1
    mirror = start_mirror(files=tiny | {f"{TRAIN_IMAGES}.gz": gzip.compress(content)})
    with pytest.raises(DownloadError, match="wrong checksum"):
        download("mnist", tmp_path, mirrors=[mirror.url])
    assert names(tmp_path) == []


def test_an_endless_answer_is_cut(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny | {f"{TRAIN_IMAGES}.gz": bytes(5_000_000)}, length_stated=False)
    most = 0

    def watch(done: int, *_: object) -> None:
        nonlocal most
        most = max(most, done)

    with pytest.raises(DownloadError, match="longer than"):
        download("mnist", tmp_path, mirrors=[mirror.url], progress=watch)
    assert most < 100_000


def test_an_unpacked_file_from_a_mirror_keeps_its_plain_name(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files={name: gzip.decompress(content) for name, content in tiny.items()})
    folder = download("mnist", tmp_path, mirrors=[mirror.url])
    assert names(folder) == sorted(name.removesuffix(".gz") for name in tiny)
    assert len(load_dataset("mnist", ReadOptions(data_dir=tmp_path)).train) == 30


@pytest.mark.usefixtures("tiny")
@pytest.mark.usefixtures("tiny")
def test_plain_http_to_elsewhere_is_refused(tmp_path: Path) -> None:
    for mirror in ["http://example.org", "ftp://example.org", "nonsense", "http://[bad"]:
        with pytest.raises(DownloadError, match="downloaded"):
            download("mnist", tmp_path, mirrors=[mirror])
        assert names(tmp_path) == []


def test_a_redirection_to_plain_http_is_refused(start_mirror: Callable[..., Mirror], tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"http://example\.org.*HTTPS"):
        download("mnist", tmp_path, mirrors=[start_mirror(redirect="http://example.org").url])


def test_a_redirection_is_followed(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    good = start_mirror(files=tiny)
    assert names(download("mnist", tmp_path, mirrors=[start_mirror(redirect=good.url).url])) == sorted(tiny)


@pytest.mark.usefixtures("tiny")
def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_network(*_: object) -> None:
        raise httpx.ConnectError("Name or service not known")

    monkeypatch.setattr(httpx.HTTPTransport, "handle_request", no_network)
    with pytest.raises(DownloadError) as caught:
        download("mnist", tmp_path, mirrors=["https://one.example", "https://two.example"])
    message = str(caught.value)
    for part in (
        "one.example (no connection",
        "two.example (no connection",
        "put train-images-idx3-ubyte.gz",
    ):
        assert part in message
    assert str(tmp_path / "mnist") in message
    assert "--data-dir" in message
    assert "\n" not in message


def test_a_damaged_file_in_the_folder_is_not_replaced_but_told(
    start_mirror: Callable[..., Mirror], tiny: dict[str, bytes], tmp_path: Path
) -> None:
    mirror = start_mirror(files=tiny)
    folder = download("mnist", tmp_path, mirrors=[mirror.url])
    other = gzip.compress(gzip.decompress(tiny["t10k-labels-idx1-ubyte.gz"])[:-1] + b"\x01")
    (folder / "t10k-labels-idx1-ubyte.gz").write_bytes(other)
    for call in (
        lambda: download("mnist", tmp_path, mirrors=[mirror.url]),
        lambda: load_dataset("mnist", ReadOptions(data_dir=tmp_path)),
    ):
        with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz"):
            call()
    assert (folder / "t10k-labels-idx1-ubyte.gz").read_bytes() == other


@pytest.mark.usefixtures("tiny")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DownloadError, match="cannot be written"):
        download("mnist", tmp_path / "file", mirrors=["https://one.example"])


def test_a_data_set_that_cannot_be_downloaded() -> None:
    with pytest.raises(DataError, match="'digits'.*downloaded"):
        download("digits")


@pytest.mark.usefixtures("tiny")
def test_where_downloads_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "cache")
    monkeypatch.setenv("KMOSAIC_DATA", str(tmp_path / "env"))
    with pytest.raises(DownloadError, match=str(tmp_path / "env" / "mnist")):
        download("mnist", mirrors=[])
    monkeypatch.delenv("KMOSAIC_DATA")
    with pytest.raises(DownloadError, match=str(tmp_path / "cache" / "mnist")):
        download("mnist", mirrors=[])


@pytest.mark.parametrize(("trickle", "words"), [("body", "too slow"), ("headers", "no answer in 0.3 s")])
def test_a_mirror_that_sends_a_byte_now_and_then_is_left_for_the_next(
    start_mirror: Callable[..., Mirror],
    tiny: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    trickle: str,
    words: str,
) -> None:
    monkeypatch.setattr(fetch, "_PATIENCE", 0.3)
    slow = start_mirror(files=tiny, trickle=trickle)
    with pytest.raises(DownloadError, match=words):
        download("mnist", tmp_path, mirrors=[slow.url])
    began = time.monotonic()
    download("mnist", tmp_path, mirrors=[slow.url, start_mirror(files=tiny).url])
    assert time.monotonic() - began < 5
    assert {"-".join(name.split("-")[:2]) for name in names(tmp_path / "mnist") if name.endswith(".gz")} == {
        "train-images", "train-labels", "t10k-images", "t10k-labels",
    }  # fmt: skip


def test_a_download_has_a_deadline(
    start_mirror: Callable[..., Mirror],
    tiny: dict[str, bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(fetch, "_DEADLINE", 0.3)
    with pytest.raises(DownloadError, match="minutes after"):
        download("mnist", tmp_path, mirrors=[start_mirror(files=tiny, trickle="body").url])
