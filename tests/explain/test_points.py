"""Points of the lesson: made up with a fixed seed, or read from somebody's file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from kmosaic.errors import DataError
from kmosaic.explain import read_points
from kmosaic.explain.points import islands, rings, separated, shirt_sizes, unlike
from kmosaic.explain.points_file import MAX_BYTES, MAX_POINTS


def test_made_up_points_are_the_same_every_time():
    for make in [separated, islands, shirt_sizes, rings, unlike]:
        first, again = make(), make()

        assert first.points.tolist() == again.points.tolist()
        assert first.points.dtype == np.float64
        assert first.points.shape == (len(first.points), 2)
        assert np.isfinite(first.points).all()
        assert len(np.unique(first.points, axis=0)) > first.n_clusters


def test_coordinates_too_small_to_square_count_as_nothing(tmp_path: Path) -> None:
    (tmp_path / "tiny.csv").write_text("0,0\n1e-200,0\n0,1e-300\n-1e-150,1\n3,1e-99\n")
    points = read_points(tmp_path / "tiny.csv", 2).points
    assert points.tolist() == [[0, 0], [0, 0], [0, 0], [0, 1], [3, 1e-99]]
    (tmp_path / "all.csv").write_text("1e-200,0\n2e-200,0\n3e-200,1e-200\n")
    with pytest.raises(DataError, match="1 distinct.*3 clusters"):
        read_points(tmp_path / "all.csv", 3)


def test_shirts_are_for_people_as_they_are():
    height, weight = shirt_sizes().points.T

    assert height.min() > 140
    assert height.max() < 205
    assert weight.min() > 35
    assert weight.max() < 130
    assert np.corrcoef(height, weight)[0, 1] > 0.4


def test_csv_as_people_write_it(tmp_path: Path):
    for text, columns in [
        ("1,2\n3,4.5\n-1e3,0\n", ("x", "y")),
        ("a;b\n1;2\n3;4.5\n-1e3;0\n", ("a", "b")),
        ("\ufeffwide\thigh\n1\t2\n\n3\t4.5\n-1e3\t0", ("wide", "high")),
        ('"a, b",c\n"1","2"\n3,4.5\n-1e3,0\n', ("a, b", "c")),
        ("name,\n1,2\n3,4.5\n-1e3,0\n", ("name", "y")),
    ]:
        path = tmp_path / "points.csv"
        path.write_text(text, encoding="utf-8")

        own = read_points(path, n_clusters=2)

        assert own.points.tolist() == [[1, 2], [3, 4.5], [-1000, 0]]
        assert own.columns == columns
        assert own.n_clusters == 2


def test_what_is_no_points_is_refused_in_one_line(tmp_path: Path):
    for content, message in [
        (b"", "0 distinct.*3 clusters"),
        (b"1,2\n1,2\n1,2\n4,4\n", "2 distinct.*3 clusters"),
        (b"1,2\n3\n", "line 2.*'3'"),
        (b"1,2\n3,4,5\n", "line 2.*'3,4,5'"),
        (b"1,2\n3,x\n", "line 2.*'3,x'"),
        (b"1,2\n3,nan\n", "line 2.*'3,nan'"),
        (b"1,2\n3,inf\n", "line 2.*'3,inf'"),
        (b"1,2\n3,1e13\n", "none beyond 1e"),
        (b"a,b,c\n1,2,3\n", r"3 columns.*line 1.*\(a, b, c\).*--columns"),
        (b"1 2\n3 4\n", r"1 column.*line 1.*\(1 2\).*semicolons"),
        (b"a,b,c\n1,2\n", "3 columns.*line 1"),
        (b"\xff\xfe1,2\n", "UTF-8"),
        (b'1,"2\n', "CSV"),
        (b"1,2\n" * (MAX_BYTES // 4 + 1), "more than 1,048,576 bytes"),
    ]:
        path = tmp_path / "points.csv"
        path.write_bytes(content)

        with pytest.raises(DataError, match=message) as refused:
            read_points(path)

        assert str(path) in str(refused.value)
        assert "\n" not in str(refused.value)


PEOPLE = "name,height,bmi,weight,2020\nann,170,21,61,1\nbob,180,25,81,2\n"


def test_two_of_many_columns_are_chosen(tmp_path: Path):
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    for asked, columns, points in [
        (("height", "weight"), ("height", "weight"), [[170, 61], [180, 81]]),
        (("4", "3"), ("weight", "bmi"), [[61, 21], [81, 25]]),
        ((" weight ", "3"), ("weight", "bmi"), [[61, 21], [81, 25]]),
        (("2020", "2"), ("2020", "height"), [[1, 170], [2, 180]]),
    ]:
        own = read_points(path, 2, asked)
        assert own.columns == columns
        assert own.points.tolist() == points


def test_columns_without_names_have_numbers(tmp_path: Path):
    path = tmp_path / "plain.csv"
    path.write_text("3,1,2\n6,4,5\n")
    own = read_points(path, 2, ("3", "1"))
    assert own.columns == ("x", "y")
    assert own.points.tolist() == [[2, 3], [5, 6]]


def test_columns_that_are_not_there_are_named(tmp_path: Path):
    path = tmp_path / "people.csv"
    path.write_text(PEOPLE)
    for asked, message in [
        (None, r"5 columns.*line 1.*\(name, height, bmi, weight, 2020\)"),
        (("height",), "--columns.* 1"),
        (("height", "weight", "bmi"), "--columns.* 3"),
        (("height", "width"), "'width'"),
        (("height", "6"), "'6'.*1 to 5"),
        (("1.5", "0"), r"'1\.5'"),
        (("height", "height"), "twice"),
        (("name", "height"), "line 2.*'ann,170'"),
    ]:
        with pytest.raises(DataError, match=message):
            read_points(path, 2, asked)


def test_names_of_two_columns_are_ambiguous(tmp_path: Path):
    path = tmp_path / "twice.csv"
    path.write_text("a,b,a\n1,2,3\n4,5,6\n")
    with pytest.raises(DataError, match="'a'.*more than one"):
        read_points(path, 2, ("a", "b"))


def test_too_many_points_are_refused(tmp_path: Path):
    path = tmp_path / "points.csv"
    path.write_text("".join(f"{i},{i}\n" for i in range(MAX_POINTS + 1)))

    with pytest.raises(DataError, match="2,001 points.*2,000"):
        read_points(path)


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="none.csv.*No such file"):
        read_points(tmp_path / "none.csv")


def test_only_line_ends_end_a_line(tmp_path: Path):
    path = tmp_path / "points.csv"
    path.write_text('"wi\u2028de","a\nb"\n1,2\n3,4\n5,6\n', encoding="utf-8")
    assert read_points(path, n_clusters=2).points.tolist() == [[1, 2], [3, 4], [5, 6]]
