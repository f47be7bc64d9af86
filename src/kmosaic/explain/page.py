"""The lesson as one self-contained HTML file."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from kmosaic.evaluate import ClusterSummary
from kmosaic.explain.choosing import Photo, Sizes
from kmosaic.explain.digits import PIXEL_UNITS, Pictures
from kmosaic.explain.lesson import Lesson
from kmosaic.explain.points import PointSet
from kmosaic.explain.scaling import UNLIKE_SPREADS
from kmosaic.explain.starts import EmptyCluster, Restarts, Starts
from kmosaic.explain.trace import Trace
from kmosaic.report import Provenance
from kmosaic.report.page import render_page, write_page
from kmosaic.report.parts import making_facts
from kmosaic.report.sheets import sheet
from kmosaic.report.tiles import data_uri, display_range, tiles
from kmosaic.report.wording import clean, percent

_TEMPLATE = Path(__file__).with_name("templates") / "lesson.html.j2"
_ENTRY = Path(__file__).with_name("scripts") / "lesson.js"
_LARGEST_TILE = 48
_MAX_NUMBERS = 40  # rows and columns of the image shown as numbers


def write_lesson(
    path: str | os.PathLike[str],
    lesson: Lesson,
    provenance: Provenance | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the lesson's page; OutputError where ``path`` exists or cannot be written."""
    return write_page(path, lambda: render_lesson(lesson, provenance or Provenance()), overwrite)


def render_lesson(lesson: Lesson, provenance: Provenance) -> str:
    """Return the lesson as HTML."""
    image = lesson.pictures.format
    context = {
        "title": "k-means, step by step",
        "kind": "Lesson",
        "lead": (
            "How a machine finds groups in a heap of points, or of pictures, that nobody has sorted. "
            "Everything below was computed when this page was made, and can be changed by you."
        ),
        "n_starts": len(lesson.starts.random.inertia),
        "starts_title": lesson.starts.data.title,
        "n_clusters": lesson.starts.data.n_clusters,
        "unlike_ends": lesson.starts.unlike_ends,
        "stuck": lesson.sizes.stuck.inertia,
        "fewer": lesson.sizes.fewer.inertia,
        "units": lesson.sizes.units,
        "photo": lesson.photo,
        "pixel_units": PIXEL_UNITS,
        "brightest": f"{image.max_value:g}",
        "shape": (image.height, image.width, image.channels, image.n_features),
        "collection": clean(lesson.pictures.collection.name),
        "n_images": len(lesson.pictures.collection),
        "few": _few_words(lesson.pictures),
        "facts": making_facts(provenance),
        "page_data": lesson_data(lesson),
    }
    return render_page(_TEMPLATE, context, _ENTRY)


def lesson_data(lesson: Lesson) -> dict[str, Any]:
    """Return what the page's script reads."""
    two = lesson.two_steps
    return {
        "steps": [
            {**_point_set(data), "steps": _steps(trace)}
            for data, trace in zip(two.data, two.traces, strict=True)
        ],
        "unlike_spreads": UNLIKE_SPREADS,
        "starts": _starts(lesson.starts),
        "empty": _empty(lesson.empty),
        "sizes": _sizes(lesson.sizes),
        "scores": [asdict(scores) for scores in lesson.scores],
        "photo": _photo(lesson.photo),
        "pictures": _pictures(lesson.pictures),
    }


def _point_set(data: PointSet) -> dict[str, Any]:
    return {**vars(data), "points": data.points.tolist()}


def _steps(trace: Trace) -> list[dict[str, Any]]:
    return [
        {
            "kind": step.kind,
            "centroids": step.centers.tolist(),
            "labels": None if step.labels is None else step.labels.tolist(),
            "inertia": step.inertia,
            "ids": list(step.ids),
            "filled": list(step.filled),
        }
        for step in trace.steps
    ]


def _starts(part: Starts) -> dict[str, Any]:
    return {
        **_point_set(part.data),
        "lucky": _steps(part.lucky),
        "unlucky": _steps(part.unlucky),
        "picks": [
            {
                "row": pick.row,
                "squared": None
                if pick.squared_distances is None
                else pick.squared_distances.round(6).tolist(),
            }
            for pick in part.picks
        ],
        "random": _restarts(part.random),
        "careful": _restarts(part.careful),
        "spread": asdict(part.spread),
    }


def _restarts(part: Restarts) -> dict[str, Any]:
    return {"starts": part.starts.tolist(), "inertia": part.inertia.tolist(), "best": part.best}


def _empty(part: EmptyCluster) -> dict[str, Any]:
    traces = {policy: _steps(trace) for policy, trace in part.traces.items()}
    return {**_point_set(part.data), "traces": traces}


def _sizes(part: Sizes) -> dict[str, Any]:
    return {
        **_point_set(part.data),
        "fits": {k: _steps(fit)[-1] for k, fit in part.fits.items()},
        "misfit": {k: np.round(misfit, 3).tolist() for k, misfit in part.misfit.items()},
        "units": [
            {**_point_set(unit.data), "title": unit.title, "end": _steps(unit.fit)[-1]} for unit in part.units
        ],
        "stuck": {
            **_point_set(part.stuck_data),
            "five": _steps(part.stuck)[-1],
            "three": _steps(part.fewer)[-1],
        },
    }


def _photo(part: Photo) -> dict[str, Any]:
    return {
        "title": part.title,
        "width": part.width,
        "height": part.height,
        "n_colours": part.n_colours,
        "uri": data_uri(part.png, "image/png"),
        "bytes": len(part.png),
        "versions": [
            {
                "n_colours": version.n_colours,
                "uri": data_uri(version.png, "image/png"),
                "bytes": len(version.png),
                "error": version.error,
                "palette": version.palette.tolist(),
            }
            for version in part.versions
        ],
    }


def _pictures(part: Pictures) -> dict[str, Any]:
    form, film = part.format, part.film
    shown = display_range(part.collection.pixels, form)
    frames = tiles(np.concatenate(film.centers), form, shown)
    first = tiles(part.first[None, :], form, shown)
    return {
        "numbers": _numbers(part),
        "first": asdict(sheet(first, 4 * _LARGEST_TILE)),
        "film": {
            "sheet": asdict(sheet(frames, _LARGEST_TILE)),
            "iterations": list(film.iterations),
            "inertia": list(film.inertia),
            "units": PIXEL_UNITS,
            "n_clusters": len(film.centers[0]),
        },
        "summaries": [
            {
                "sheet": asdict(sheet(tiles(summary.cluster_centers, form, shown), _LARGEST_TILE)),
                "names": list(summary.cluster_names or ()),
                "sizes": summary.cluster_sizes.tolist(),
                "n_clusters": summary.n_clusters,
                "words": _summary_words(part, summary),
            }
            for summary in part.summaries
        ],
    }


def _numbers(part: Pictures) -> dict[str, Any]:
    """The first image's numbers, of its first channel, a corner of it where it is large."""
    form = part.format
    grid = part.first.reshape(form.height, form.width, form.channels)[:_MAX_NUMBERS, :_MAX_NUMBERS, 0]
    values = np.round(grid.astype(np.float64), 2)
    whole = bool((values == np.rint(values)).all())
    return {
        "values": (values.astype(np.int64) if whole else values).tolist(),
        "brightest": float(form.max_value) or 1.0,
    }


def _summary_words(part: Pictures, summary: ClusterSummary) -> str:
    accuracy = percent(summary.accuracy or 0)
    return (
        f"{summary.n_clusters} clusters: the majority's name is right for {accuracy} of the images. "
        f"J = {part.inertia(summary):,.4g} {PIXEL_UNITS}."
    )


def _few_words(part: Pictures) -> str:
    """What ten clusters get wrong, as it was found."""
    summary = part.summaries[0]
    labels, names = summary.label_names or (), summary.cluster_names or ()
    missing = [clean(label) for label in labels if label not in names]
    right = f"{percent(summary.accuracy or 0)} of the images are in a cluster of their name"
    if missing:
        return f"{right}; no cluster at all is named {', '.join(missing)}."
    purity = np.nan_to_num(summary.cluster_purity, nan=1.0) if summary.cluster_purity is not None else [1.0]
    worst = int(np.argmin(purity))
    least = f"The least pure cluster, named {clean(names[worst])}"
    return f"{right}. {least}, is only {percent(float(purity[worst]))} of that name."
