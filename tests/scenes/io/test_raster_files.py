"""Rasters that cannot be read, or that ask for more than they should."""

from __future__ import annotations

import contextlib
import http.server
import logging
import os
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
from kmosaic.scenes.io.raster_scene import open_scene
from kmosaic.scenes.io.read_options import ReadOptions
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
        "import sys\nfrom kmosaic.errors import DataError\n"
        "from kmosaic.scenes.io.raster_scene import open_scene\n"
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
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
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


# Files that are none: GDAL would wait for them

TEMPLATE = """<VRTDataset rasterXSize="14" rasterYSize="20"{kind}>
<VRTRasterBand dataType="Byte" band="1"{band}>
{source}</VRTRasterBand>{options}</VRTDataset>"""


def vrt_text(source: str) -> str:
    simple = (
        f"<SimpleSource><SourceFilename>{source}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
    )
    return TEMPLATE.format(kind="", band="", source=simple, options="")


def warped_text(source: str) -> str:
    options = (
        f"<GDALWarpOptions><SourceDataset>{source}</SourceDataset><BandList><BandMapping src='1' dst='1'/>"
    )
    return TEMPLATE.format(
        kind=' subClass="VRTWarpedDataset"',
        band=' subClass="VRTWarpedRasterBand"',
        source="",
        options=f"{options}</BandList></GDALWarpOptions>",
    )


@pytest.fixture
def pipes(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Every way to a named pipe, in the working folder."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    for name, text in {
        "simple": vrt_text("pipe"),
        "warped": warped_text("pipe"),
        "nested": vrt_text("simple.vrt"),
        "part": vrt_text("/vsisubfile/0_99,pipe"),
        "stdin": vrt_text("/dev/stdin"),
        "vsistdin": vrt_text("/vsistdin/"),
        "inline": vrt_text(vrt_text("pipe").replace("<", "&lt;")),
    }.items():
        Path(f"{name}.vrt").write_text(text)
    with zipfile.ZipFile("packed.zip", "w") as archive:
        archive.writestr("a.vrt", vrt_text(str(tmp_path / "pipe")))
    write("masked.tif", some("uint8", (1, 20, 14)))
    os.mkfifo("masked.tif.msk")
    write("scene.tif", some("uint8", (1, 20, 14)))
    return tmp_path


NO_FILES = {
    "pipe": "a pipe",
    "/dev/stdin": "a pipe",
    "/vsistdin/": "standard input",
    "/dev/zero": "a device",
    "socket": "a socket",
    "vrt://pipe?bands=1": "a pipe",
    vrt_text("pipe"): "a pipe",
    "simple.vrt": "a pipe",
    "warped.vrt": "a pipe",
    "nested.vrt": "a pipe",
    "part.vrt": "a pipe",
    "stdin.vrt": "a pipe",
    "vsistdin.vrt": "standard input",
    "/vsizip/packed.zip/a.vrt": "virtual raster",
    "masked.tif": "a pipe",
}


@pytest.mark.skipif(os.name == "nt", reason="Windows has no named pipes in folders")
@pytest.mark.parametrize("network", [False, True])
def test_only_regular_files_are_opened(pipes: Path, *, network: bool) -> None:
    """In a process of its own, which would wait for good."""
    code = (
        "import socket, sys\n"
        "from kmosaic.errors import DataError\n"
        "from kmosaic.scenes.io.raster_scene import open_scene\n"
        "from kmosaic.scenes.io.read_options import ReadOptions\n"
        "socket.socket(socket.AF_UNIX).bind('socket')\n"
        "for name in sys.argv[1:]:\n"
        "    for source, mask in ((name, None), ('scene.tif', name)):\n"
        f"        try: open_scene(source, ReadOptions(mask=mask, network={network})).read(0, 20)\n"
        "        except DataError as error: print(error, flush=True)\n"
    )
    expected = NO_FILES | {"inline.vrt": "a pipe" if network else "over the network"}
    done = subprocess.run(
        [sys.executable, "-c", code, *expected],
        cwd=pipes, stdin=subprocess.PIPE, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    told = done.stdout.splitlines()
    assert done.stderr == ""
    assert len(told) == 2 * len(expected)
    for line, kind in zip(told, [kind for kind in expected.values() for _ in range(2)], strict=True):
        assert kind in line


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
