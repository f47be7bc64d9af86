"""Rasters that cannot be read, or that ask for more than they should."""

from __future__ import annotations

import contextlib
import http.server
import logging
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kmosaic.errors import DataError, MissingLibraryError
from kmosaic.scenes.raster import open_scene
from kmosaic.scenes.reading import ReadOptions
from scene_rasters import Write, read_all, some, vrt_of

rasterio = pytest.importorskip("rasterio")


# Files that cannot be read


def test_no_raster_and_no_source_are_refused(write: Write, tmp_path: Path) -> None:
    (tmp_path / "text.tif").write_text("no raster")
    path = write("a.tif", some())
    for source, message in (
        (str(tmp_path / "none.tif"), "none.tif.*No such file"),
        ([path, str(tmp_path / "B5.tif")], "B5.tif"),
        (str(tmp_path / "text.tif"), "not recognized"),
        (str(tmp_path), "folder"),
        ([path, path], "given twice"),
        ([], "raster"),
        ("", "no file name"),
        ([path, 3], "int.*path"),
    ):
        with pytest.raises(DataError, match=message):
            open_scene(source)


def test_a_container_says_what_it_holds(write: Write) -> None:
    bands = some("uint8", (3, 256, 256))
    write("a.gpkg", bands, driver="GPKG", RASTER_TABLE="first")
    path = write("a.gpkg", bands, driver="GPKG", RASTER_TABLE="second", APPEND_SUBDATASET="YES")
    with pytest.raises(DataError, match="GPKG:.*a.gpkg:first"):
        open_scene(path)
    with open_scene(f"GPKG:{path}:first") as scene:
        assert scene.grid.width == 256


def test_a_truncated_file_is_refused_and_gdal_is_silent(
    write: Write, capfd: pytest.CaptureFixture[str]
) -> None:
    for compress, kept in product(["none", "deflate"], [0.3, 0.7, 0.95]):
        path = Path(write("a.tif", some("uint16", (3, 200, 200)), compress=compress, blockysize=8))
        content = path.read_bytes()
        path.write_bytes(content[: int(len(content) * kept)])
        with pytest.raises(DataError, match="a.tif.*(lines|opened)"):
            read_all(str(path))
        assert capfd.readouterr() == ("", "")


def test_gdal_is_silent_without_logging_too(write: Write) -> None:
    """In a process of its own: pytest sets logging up, which would take what GDAL says."""
    path = Path(write("a.tif", some("uint16", (3, 200, 200)), compress="deflate", blockysize=8))
    path.write_bytes(path.read_bytes()[:-5000])
    code = (
        "import sys\nfrom kmosaic.errors import DataError\nfrom kmosaic.scenes.raster import open_scene\n"
        "try:\n    with open_scene(sys.argv[1]) as scene: scene.read(0, 200)\n"
        "except DataError as error: print('refused')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("refused\n", "")
    assert logging.getLogger("rasterio").handlers


def test_a_virtual_raster_whose_file_is_gone_is_refused(write: Write) -> None:
    path = write("a.tif", some())
    virtual = vrt_of(path)
    Path(path).unlink()
    with pytest.raises(DataError, match="scene.vrt.*(lines 1 to 20|opened)"):
        read_all(virtual)


@pytest.fixture
def server() -> Iterator[tuple[str, list[str]]]:
    """A server that has nothing, and what it was asked for."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_GET  # noqa: N815 (as http.server has it)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", asked
        running.shutdown()
        thread.join()


@pytest.mark.parametrize("prefix", ["/vsicurl/", "", "/vsicurl_streaming/"])
def test_a_file_asks_the_network_for_nothing_unless_it_is_allowed(
    server: tuple[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefix: str
) -> None:
    address, asked = server
    monkeypatch.chdir(tmp_path)
    virtual = vrt_of(f"{prefix}{address}/some.tif")
    with pytest.raises(DataError, match="network.*network=True"):
        open_scene(virtual)
    nested = tmp_path / "outer.vrt"
    nested.write_text(Path(virtual).read_text().replace(f"{prefix}{address}/some.tif", "scene.vrt"))
    with pytest.raises(DataError, match="over the network"):
        open_scene(nested)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("scene.vrt", Path(virtual).read_text().replace("some.tif", "packed.tif"))
    with pytest.raises(DataError):
        read_all(f"/vsizip/{tmp_path}/packed.zip/scene.vrt")
    assert not asked
    with pytest.raises(DataError):
        read_all(virtual, network=True)
    with pytest.raises(DataError):
        read_all(f"{prefix or '/vsicurl/'}{address}/other.tif")
    assert "/some.tif" in asked
    assert "/other.tif" in asked


def test_virtual_rasters_of_themselves_and_damaged_ones_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="scene.vrt"):
        read_all(vrt_of("scene.vrt"))
    (tmp_path / "bad.vrt").write_text("<VRTDataset")
    with pytest.raises(DataError, match="no proper XML"):
        open_scene(tmp_path / "bad.vrt")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_file_is_read_or_refused(write: Write, data: st.DataObject) -> None:
    whole = write("whole.tif", np.arange(512, dtype=np.uint16).reshape(2, 16, 16), compress="deflate")
    path, content = Path(whole).with_name("damaged.tif"), bytearray(Path(whole).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(DataError), open_scene(path) as scene:
        if scene.grid.width < 10_000 and len(scene.bands) < 100:
            assert scene.read(0, 1).values.shape == (1, scene.grid.width, len(scene.bands))


def test_without_rasterio_the_line_that_installs_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(MissingLibraryError, match=r"pip install 'kmosaic\[scenes\]'"):
        open_scene("a.tif")


def test_options_that_mean_nothing_are_refused() -> None:
    for options in [
        {"missing": "some"},
        {"bands": [1]},
        {"bands": (1.5,)},
        {"nodata": "blue"},
        {"nodata": (None,)},
    ]:
        with pytest.raises(ValueError, match=f"{next(iter(options))}="):
            ReadOptions(**options)
