"""What pixels cover: in every unit of length, and on the ellipsoid."""

from __future__ import annotations

import numpy as np
import pytest

from kmosaic.errors import DataError
from kmosaic.scenes.scene import Grid
from kmosaic.scenes.stats.pixel_areas import pixel_areas

rasterio = pytest.importorskip("rasterio")

# The surface of WGS 84 in square metres, from its closed form (2 pi a^2 (1 + (1 - e^2) artanh(e) / e)).
WHOLE_EARTH = 5.1006562172408e14
WHOLE_WORLD = (1.0, 0.0, -180.0, 0.0, -1.0, 90.0)


def grid(crs: str, transform: tuple[float, ...], width: int = 360, height: int = 180) -> Grid:
    wkt = crs if crs.startswith("LOCAL") else rasterio.crs.CRS.from_string(crs).to_wkt()
    a, b, c, d, e, f = transform
    return Grid(width, height, (a, b, c, d, e, f), wkt)


def test_coordinates_in_lengths_give_every_pixel_one_area() -> None:
    for crs, metres in [("EPSG:32618", 1.0), ("EPSG:2264", 1200 / 3937), ("EPSG:32618+5703", 1.0)]:
        areas = pixel_areas(grid(crs, (30.0, 0.0, 0.0, 0.0, -20.0, 0.0)))

        assert areas is not None
        assert areas.constant == pytest.approx(600 * metres**2, rel=1e-12)
        assert areas.of_lines(3, 2).item() == areas.constant


def test_a_turned_grid_has_the_area_of_its_parallelograms() -> None:
    areas = pixel_areas(grid("EPSG:32618", (30.0, 5.0, 0.0, 5.0, -30.0, 0.0)))

    assert areas is not None
    assert areas.constant == 925


def test_degrees_are_measured_on_the_ellipsoid() -> None:
    areas = pixel_areas(grid("EPSG:4326", WHOLE_WORLD))

    assert areas is not None
    assert areas.constant is None
    lines = areas.of_lines(0, 180)
    assert lines.shape == (180, 1)
    assert lines.sum() * 360 == pytest.approx(WHOLE_EARTH, rel=1e-12)
    # One degree at the equator: 110.574 km by 111.320 km.
    assert lines[90, 0] == pytest.approx(110_574 * 111_320, rel=1e-4)
    np.testing.assert_allclose(lines, lines[::-1], rtol=1e-12)


def test_parts_of_the_world_are_those_of_the_whole() -> None:
    areas = pixel_areas(grid("EPSG:4326", WHOLE_WORLD))

    assert areas is not None
    np.testing.assert_array_equal(areas.of_lines(37, 5), areas.of_lines(0, 180)[37:42])


def test_a_grid_that_reaches_beyond_the_poles_has_no_more_than_the_world() -> None:
    beyond = (1.0, 0.0, -180.0, 0.0, -1.0, 90.5)
    areas = pixel_areas(grid("EPSG:4326", beyond, height=181))

    assert areas is not None
    assert areas.of_lines(0, 181).sum() * 360 == pytest.approx(WHOLE_EARTH, rel=1e-12)


def test_grads_are_no_degrees() -> None:
    quarter = (1.0, 0.0, 0.0, 0.0, -1.0, 100.0)
    areas = pixel_areas(grid("EPSG:4807", quarter, width=400, height=200))

    assert areas is not None
    # The Clarke ellipsoid of 1880 is a little larger.
    assert areas.of_lines(0, 200).sum() * 400 == pytest.approx(WHOLE_EARTH, rel=1e-3)


def test_degrees_turned_a_little_differ_a_little() -> None:
    straight = pixel_areas(grid("EPSG:4326", (0.01, 0.0, 7.0, 0.0, -0.01, 50.0), 40, 30))
    turned = pixel_areas(grid("EPSG:4326", (0.01, 1e-9, 7.0, 1e-9, -0.01, 50.0), 40, 30))

    assert straight is not None
    assert turned is not None
    assert turned.of_lines(4, 3).shape == (3, 40)
    np.testing.assert_allclose(turned.of_lines(0, 30), np.repeat(straight.of_lines(0, 30), 40, 1), rtol=1e-6)


def test_without_a_crs_nothing_is_known() -> None:
    assert pixel_areas(Grid(2, 2, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "")) is None
    assert pixel_areas(grid('LOCAL_CS["plane",UNIT["unknown",1]]', (1.0, 0.0, 0.0, 0.0, 1.0, 0.0))) is None


def test_a_crs_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(DataError, match="CRS"):
        pixel_areas(Grid(2, 2, (1.0, 0.0, 0.0, 0.0, 1.0, 0.0), "nonsense"))


def test_an_ellipsoid_in_feet_is_that_in_metres() -> None:
    wkt = rasterio.crs.CRS.from_string("EPSG:4326").to_wkt(version="WKT2_2019")
    in_feet = wkt.replace(
        'ELLIPSOID["WGS 84",6378137,298.257223563,LENGTHUNIT["metre",1]]',
        f'ELLIPSOID["in ""feet""",{6378137 / 0.3048},298.257223563,LENGTHUNIT["foot",0.3048]]',
    )
    assert in_feet != wkt
    a, b, c, d, e, f = WHOLE_WORLD
    areas = pixel_areas(Grid(360, 180, (a, b, c, d, e, f), in_feet))

    assert areas is not None
    assert areas.of_lines(0, 180).sum() * 360 == pytest.approx(WHOLE_EARTH, rel=1e-12)


def test_a_sphere_of_another_body() -> None:
    areas = pixel_areas(grid("+proj=longlat +R=1737400 +no_defs", WHOLE_WORLD))

    assert areas is not None
    assert areas.of_lines(0, 180).sum() * 360 == pytest.approx(4 * np.pi * 1737400**2, rel=1e-12)


def test_latitudes_about_a_rotated_pole_tell_no_areas() -> None:
    assert (
        pixel_areas(grid("+proj=ob_tran +o_proj=longlat +o_lat_p=40 +lon_0=10 +datum=WGS84", WHOLE_WORLD))
        is None
    )
