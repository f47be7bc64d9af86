"""kmosaic datasets."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner

from kmosaic.cli import main

NAMES = [f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")]


@pytest.fixture(autouse=True)
def no_cache(monkeypatch, tmp_path):
    """A user's cache must not be looked at."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))


def table_row(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(f"{name} "))


def test_lists_what_is_here_and_what_is_not(run):
    text = run("datasets").stdout

    assert "yes, embedded" in table_row(text, "digits")
    row = table_row(text, "mnist")
    assert row.split()[1:3] == ["60,000", "10,000"]
    assert " no " in row
    assert "11.6 MB" in row
    assert "CC BY-SA 3.0" in row
    assert "kmosaic datasets --download mnist" in text


def test_piped_table_does_not_break_lines(run):
    text = run("datasets").stdout

    assert len([line for line in text.splitlines() if line.startswith("fashion-mnist ")]) == 1
    assert not any(line.endswith(" ") for line in text.splitlines())


def test_says_where_a_found_data_set_is(run, tmp_path):
    (tmp_path / "data" / "mnist").mkdir()
    for name in NAMES:
        (tmp_path / "data" / "mnist" / name).write_bytes(b"")

    text = run("datasets").stdout

    assert " yes " in table_row(text, "mnist")
    assert f"here: {tmp_path / 'data' / 'mnist'}" in text


def test_data_dir_overrides_the_environment(run, tmp_path):
    (tmp_path / "other" / "mnist").mkdir(parents=True)
    for name in NAMES:
        (tmp_path / "other" / "mnist" / name).write_bytes(b"")

    assert f"here: {tmp_path / 'other'}" in run("datasets", "--data-dir", str(tmp_path / "other")).stdout


def test_says_where_it_searched_and_carries_the_folder(run, tmp_path):
    (tmp_path / "my data").mkdir()
    text = run("datasets", "--data-dir", str(tmp_path / "my data")).stdout

    assert str(tmp_path / "my data") in text
    assert f"kmosaic datasets --download mnist --data-dir '{tmp_path / 'my data'}'\n" in text
    assert f"{tmp_path / 'data'} and {tmp_path}" in run("datasets").stdout


@pytest.mark.parametrize("named", ["--data-dir", "KMOSAIC_DATA"])
def test_warns_of_a_data_folder_that_is_not_there(run, monkeypatch, named):
    monkeypatch.setenv("KMOSAIC_DATA", "nowhere")
    options = ("--data-dir", "nowhere") if named == "--data-dir" else ()

    stderr = run("datasets", *options).stderr

    assert re.fullmatch(f"kmosaic: warning: {named} .*nowhere.*\n", stderr)


def test_warns_other_commands_only_where_it_matters(run, cut_off_mirror, monkeypatch):
    monkeypatch.setenv("KMOSAIC_MIRRORS", cut_off_mirror)
    monkeypatch.setenv("KMOSAIC_DATA", "nowhere")
    line = ("fit", "--clusters", "2", "--labels", "out.csv", "--quiet")

    assert run(*line, "digits").stderr == ""
    failed = CliRunner().invoke(main, [*line, "mnist", "--force"])
    assert failed.exit_code == 1
    assert failed.stderr.startswith("kmosaic: warning: KMOSAIC_DATA ")


def test_digits_need_no_download(run):
    assert "embedded" in run("datasets", "--download", "digits").stdout


def test_unknown_name(fail):
    assert "digits, mnist, fashion-mnist" in fail("datasets", "--download", "imagenet", code=2)


def test_no_network(fail, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    monkeypatch.setenv("KMOSAIC_MIRRORS", f"http://127.0.0.1:{port}")

    message = fail("datasets", "--download", "mnist")

    assert "downloaded" in message
    assert "--data-dir" in message


class CutOff(BaseHTTPRequestHandler):
    """Promises a thousand bytes, sends ten."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"\x1f\x8b" + bytes(8))

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def cut_off_mirror() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), CutOff) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_download_cut_off_midway(fail, monkeypatch, tmp_path, cut_off_mirror):
    monkeypatch.setenv("KMOSAIC_MIRRORS", cut_off_mirror)

    assert "downloaded" in fail("datasets", "--download", "mnist")
    assert not list((tmp_path / "data").rglob("*-ubyte.gz"))


@pytest.mark.parametrize("command", [("sweep",), ("fit", "--clusters", "3", "--labels", "out.csv")])
def test_other_commands_say_the_same(fail, monkeypatch, cut_off_mirror, command):
    monkeypatch.setenv("KMOSAIC_MIRRORS", cut_off_mirror)

    assert "downloaded" in fail(*command, "mnist")
