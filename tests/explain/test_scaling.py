"""Units decide the clusters, standardising mends it, and the reader is told."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from kmosaic import KMeans
from kmosaic.explain import Lesson, PointSet, frames, scale_hint, speaker_notes
from kmosaic.explain.points import islands, rings, separated, shirt_sizes, unlike
from kmosaic.explain.scaling import UNLIKE_SPREADS, rescaled, standardised


def spread_by(factor: float) -> PointSet:
    """Points whose second column spreads ``factor`` times as far as the first."""
    x = np.array([0.0, 1.0, 2.0, 4.0])
    return PointSet("own", "Own", "", np.column_stack([x, factor * x[::-1]]), 2, ("years", "metres"))


def test_other_units_give_other_clusters_and_standardising_mends_it():
    cm, mm, scaled = rescaled()
    for found in (cm, mm, scaled):
        model = KMeans(3, init=found.fit.steps[0].centers).fit(found.data.points)
        assert found.fit.inertia == model.inertia_
        assert found.fit.labels.tolist() == model.labels_.tolist()
        assert (np.diff(found.fit.centers[:, 0]) > 0).all()
    assert mm.data.points.tolist() == (cm.data.points * [10, 1]).tolist()
    assert cm.n_moved == 0
    assert mm.n_moved == (mm.fit.labels != cm.fit.labels).sum() > 50
    start = scaled.fit.steps[0].centers
    from_mm = KMeans(3, init=start).fit(standardised(mm.data.points))
    assert from_mm.labels_.tolist() == scaled.fit.labels.tolist()


def test_standardised_columns_have_mean_0_and_deviation_1():
    points = standardised(np.array([[1e6, 0.1, 5.0], [3e6, 0.4, 5.0], [9e6, 0.2, 5.0]]))
    assert points.mean(axis=0) == pytest.approx([0, 0, 0])
    assert points.std(axis=0) == pytest.approx([1, 1, 0])


def test_unlike_spreads_are_told():
    for factor, wide in [(0.01, "years"), (3.01, "metres"), (2500.0, "metres")]:
        hint = scale_hint(spread_by(factor))
        assert hint.startswith(f"{wide} spreads {max(factor, 1 / factor):,.3g} times")
        assert "standardise" in hint


def test_like_spreads_and_constant_columns_need_no_hint():
    for factor in [0.0, 0.34, 1.0, UNLIKE_SPREADS - 0.01]:
        assert scale_hint(spread_by(factor)) is None


def test_the_lessons_own_points_need_none():
    for make in [separated, islands, shirt_sizes, rings, unlike]:
        assert scale_hint(make()) is None


def test_names_in_a_hint_are_short_and_plain():
    hint = scale_hint(replace(spread_by(9.0), columns=("a", "b\u202e" + "c" * 90)))
    assert "\u202e" not in hint
    assert len(hint) < 220


def test_slides_and_notes_of_part_4_have_it(lesson: Lesson):
    drawn = frames(lesson, [4])
    assert len(drawn) == 4
    notes = speaker_notes(lesson, drawn)
    assert "Scale first" in notes
    assert f"{lesson.sizes.units[1].n_moved} people" in notes
