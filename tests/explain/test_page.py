"""The lesson's page as a file: whole, self-contained, escaped."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from kmosaic.errors import OutputError
from kmosaic.explain import (
    Lesson,
    PointSet,
    frames,
    make_lesson,
    render_lesson,
    speaker_notes,
    write_lesson,
)
from kmosaic.images.collection import ImageCollection
from kmosaic.report import Provenance

HOSTILE = "</script><img src=x onerror=alert(1)>\udcff\u202e"


@pytest.fixture(scope="module")
def page(lesson: Lesson) -> str:
    return render_lesson(lesson, Provenance("kmosaic explain -o lesson.html"))


def test_nothing_comes_from_elsewhere(page: str):
    assert "default-src 'none'" in page
    without_scripts = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"url\(|@import|https?://|<link|<iframe", without_scripts)
    assert len(page.encode()) < 3_000_000


def test_contents_lead_to_the_parts(page: str):
    parts = ["steps", "starts", "empty", "sizes", "choosing", "pictures", "making"]
    assert re.findall(r'<li><a href="#(\w+)">', page) == parts
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(parts) <= set(ids)


def test_scale_comes_first(page: str, lesson: Lesson):
    part = page[page.index('<h3 id="scale">') : page.index('id="choosing"')]
    assert f"{lesson.sizes.units[1].n_moved} people" in part
    assert "Standardising" in part
    data = json.loads(re.search(r'id="page-data">(.*?)</script>', page)[1])
    assert [found["columns"][0] for found in data["sizes"]["units"]] == [
        "height in cm",
        "height in mm",
        "height, standardised",
    ]


def test_inertia_of_images_has_one_unit(page: str, lesson: Lesson):
    data = json.loads(re.search(r'id="page-data">(.*?)</script>', page)[1])["pictures"]
    units = data["film"]["units"]
    assert "0..1" in units
    assert units in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    for shown, summary in zip(data["summaries"], lesson.pictures.summaries, strict=True):
        value = re.search(r"J = ([\d.,]+) " + re.escape(units), shown["words"])[1]
        assert float(value.replace(",", "")) == pytest.approx(summary.inertia / 16**2, rel=1e-3)
        assert "per image" not in shown["words"]
    few = lesson.pictures.inertia(lesson.pictures.summaries[0])
    assert data["film"]["inertia"][-1] == pytest.approx(few, rel=0.1)


def test_hostile_texts_are_only_text(digits: ImageCollection, own: PointSet):
    images = replace(digits.take(range(60)), name=HOSTILE, label_names=(HOSTILE, *map(str, range(1, 10))))
    points = replace(own, title=HOSTILE, about=HOSTILE, columns=(HOSTILE, HOSTILE))
    page = render_lesson(make_lesson(images, points), Provenance(HOSTILE))
    page.encode("utf-8")
    assert "<img src=x" not in page
    assert len(re.findall(r"</script", page)) == 4
    data = json.loads(re.search(r'id="page-data">(.*?)</script>', page)[1])
    assert data["steps"][0]["title"].startswith("</script><img")


def test_nothing_is_said_that_these_points_do_not_show(page: str, digits: ImageCollection, own: PointSet):
    alike = make_lesson(digits.take(range(60)), own)
    assert not alike.starts.unlike_ends
    mine = render_lesson(alike, Provenance())
    assert "a worse place" in page
    assert "a worse place" not in mine
    assert "none was unlucky" in mine
    assert "was unlucky" in speaker_notes(alike, frames(alike, [2]))


def test_the_page_is_written_once(lesson: Lesson, tmp_path: Path):
    path = write_lesson(tmp_path / "lesson.html", lesson)
    with pytest.raises(OutputError, match="exists"):
        write_lesson(path, lesson)
    assert write_lesson(path, lesson, overwrite=True) == path
