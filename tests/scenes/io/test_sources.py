"""Files that a scene is read from: none is overwritten, however deep it lies."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kmosaic.errors import DataError, OutputError
from kmosaic.scenes import ReadOptions, segment
from kmosaic.scenes.io.sources import files_read
from scene_files import patches, write_raster

pytest.importorskip("rasterio")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    return write_raster(tmp_path / "scene.tif", patches(60, 50))


def write_vrt(path: Path, *sources: str) -> Path:
    """A virtual raster of one band on the scene's grid, of sources given as XML."""
    simple = "".join(f"<SimpleSource>{source}<SourceBand>1</SourceBand></SimpleSource>" for source in sources)
    path.write_text(
        '<VRTDataset rasterXSize="50" rasterYSize="60"><SRS>EPSG:32618</SRS>'
        "<GeoTransform>500000, 30, 0, 4000000, 0, -30</GeoTransform>"
        f'<VRTRasterBand dataType="Byte" band="1">{simple}</VRTRasterBand></VRTDataset>'
    )
    return path


def beside(name: str) -> str:
    return f'<SourceFilename relativeToVRT="1">{name}</SourceFilename>'


def test_the_sources_of_a_vrt_are_not_overwritten(scene: Path, tmp_path: Path) -> None:
    before = scene.read_bytes()
    mosaic = write_vrt(tmp_path / "mosaic.vrt", beside("scene.tif"))

    with pytest.raises(OutputError, match="scene.tif.*overwritten"):
        segment(mosaic, 3, scene, overwrite=True)
    assert scene.read_bytes() == before
    assert segment(mosaic, 3, tmp_path / "map.tif").path == tmp_path / "map.tif"


def test_what_lies_behind_nested_vrts_is_not_overwritten(
    scene: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A VRT names, from the working folder, one in another folder, which names a raster in an archive."""
    for read, output in product(
        ["scene", "mask", "mask of an array"], ["output", "second_best", "distances", "statistics", "model"]
    ):
        folder = tmp_path / f"{read} {output}"
        for name in ("inner", "outer"):
            (folder / name).mkdir(parents=True)
        suffix = {"statistics": ".csv", "model": ".zip"}.get(output, ".tif")
        lowest = folder / "inner" / f"lowest{suffix}"
        with zipfile.ZipFile(lowest, "w") as archive:
            archive.write(scene, "scene.tif")
        before = lowest.read_bytes()
        packed = f"<SourceFilename>/vsizip/{{{lowest}}}/scene.tif</SourceFilename>"
        write_vrt(folder / "inner" / "middle.vrt", packed)
        outer = write_vrt(folder / "outer" / "outer.vrt", "<SourceFilename>inner/middle.vrt</SourceFilename>")
        monkeypatch.chdir(folder)
        sources: Any = {"scene": outer, "mask": scene, "mask of an array": np.ones((2, 60, 50), np.uint8)}
        options: dict[str, Any] = {"output": "map.tif", output: lowest, "overwrite": True}
        if read != "scene":
            options["read"] = ReadOptions(mask=outer)

        with pytest.raises(OutputError, match=rf"{lowest.name}.*overwritten"):
            segment(sources[read], 3, **options)
        assert lowest.read_bytes() == before


def test_vrts_in_a_circle_end_in_an_error(scene: Path, tmp_path: Path) -> None:
    for other in ["a", "b"]:
        write_vrt(tmp_path / "b.vrt", beside("a.vrt"), beside(scene.name))
        circle = write_vrt(tmp_path / "a.vrt", beside(f"{other}.vrt"))

        with pytest.raises(DataError, match="Recursion"):
            segment(circle, 3, tmp_path / "map.tif")
        assert not (tmp_path / "map.tif").exists()
        if other == "b":
            with pytest.raises(OutputError, match="read from"):
                segment(circle, 3, scene, overwrite=True)


def test_names_that_gdal_understands_lead_to_files(tmp_path: Path) -> None:
    for name in [
        "{}",
        "/vsizip/{}/a.tif",
        "/vsitar//vsigzip/{}",
        'NETCDF:"{}":ndvi',
        "GTIFF_DIR:2:{}",
        "/vsizip/{{{}}}/a",
    ]:
        file = tmp_path / "file"
        file.write_bytes(b"II*")
        assert str(file) in files_read([name.format(file)])


def test_links_and_what_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"")
    Path("link").symlink_to("file")
    Path("bad.vrt").write_text("<VRTDataset>")
    names = ["link", "gone.tif", "a\0b", "bad.vrt", "http://example.org/file"]
    read = {Path(path).relative_to(tmp_path).as_posix() for path in files_read(names)}
    assert read == {"file", "gone.tif", "bad.vrt", "http:/example.org/file"}


def test_a_virtual_raster_in_an_archive_is_refused(scene: Path, tmp_path: Path) -> None:
    """GDAL would open what it names, a pipe for instance, and wait."""
    inner = write_vrt(tmp_path / "inner.tif", beside("scene.tif"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as zipped:
        zipped.write(scene, "scene.tif")
        zipped.write(inner, "inner.tif")
    with tarfile.open(tmp_path / "a.tar", "w") as packed:
        packed.add(inner, "inner.tif")
    (tmp_path / "a.vrt.gz").write_bytes(gzip.compress(inner.read_bytes()))
    for name in (
        f"/vsizip/{tmp_path}/a.zip/inner.tif",
        f"/vsitar/{tmp_path}/a.tar",
        f"/vsigzip/{tmp_path}/a.vrt.gz",
        f"zip://{tmp_path}/a.zip!/inner.tif",
        f"zip+file://{tmp_path}/a.zip!inner.tif",
        f"tar://{tmp_path}/a.tar!/inner.tif",
        f"gzip://{tmp_path}/a.vrt.gz",
    ):
        with pytest.raises(DataError, match="virtual raster.*unpack"):
            segment(name, 3, tmp_path / "map.tif")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as zipped:
        zipped.write(tmp_path / "a.zip", "a.zip")
    with pytest.raises(DataError, match="archive in an archive"):
        segment(f"/vsizip/{{/vsizip/{tmp_path}/outer.zip/a.zip}}/inner.tif", 3, tmp_path / "map.tif")
    damaged = bytearray((tmp_path / "a.zip").read_bytes())
    damaged[damaged.index(b"PK\x01\x02") + 8] |= 1  # the first member is encrypted, it says
    (tmp_path / "damaged.zip").write_bytes(damaged)
    with pytest.raises(DataError, match="cannot be looked through.*unpack"):
        segment(f"/vsizip/{tmp_path}/damaged.zip/inner.tif", 3, tmp_path / "map.tif")
    with zipfile.ZipFile(tmp_path / "plain.zip", "w") as zipped:
        zipped.write(scene, "scene.tif")
    for name in (f"/vsizip/{tmp_path}/plain.zip/scene.tif", f"zip://{tmp_path}/plain.zip!/scene.tif"):
        assert segment(name, 3, tmp_path / "map.tif", overwrite=True).path
