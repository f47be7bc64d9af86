"""What the report of a scene's classes says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.report.parts import Fact, making_facts, number_columns
from kmosaic.report.provenance import Provenance
from kmosaic.report.scene_pixels import MAX_CLASSES, labels_plane, picture, values_planes
from kmosaic.report.wording import clean, duration, inertia_text, percent
from kmosaic.text import count

if TYPE_CHECKING:
    from kmosaic.report.scene_pixels import Picture
    from kmosaic.scenes import Segmentation
    from kmosaic.scenes.preview import Quicklook
    from kmosaic.scenes.stats.class_statistics import ClassStatistics

N_PIXELS = 600_000
"""Pixels of a quicklook that a page has room for: ``segment(..., quicklook=N_PIXELS)``."""

_MAX_IN_MATRIX = 30  # beyond, it is no longer read cell by cell
_MAX_PAIRS = 40
_MAX_NAMED_BANDS = 30


@dataclass(frozen=True, eq=False)
class SceneReport:
    """Everything a report of a scene's classes is written from.

    Attributes
    ----------
    result
        Of ``segment`` with ``statistics`` and with ``quicklook=N_PIXELS``.
    provenance
        Command, seeds, versions and date.
    parameters
        What was asked for: names and values.
    name
        What to call the scene; None: as it is called.

    Raises
    ------
    DataError
        Where the result has no statistics or no quicklook, or more than 255 classes.
    """

    result: Segmentation
    provenance: Provenance = field(default_factory=Provenance)
    parameters: Mapping[str, object] = field(default_factory=dict)
    name: str | None = None

    def __post_init__(self) -> None:
        if self.result.quicklook is None or self.result.statistics is None:
            raise DataError(
                "a report needs statistics and a quicklook; segment with statistics=True and "
                "quicklook=kmosaic.report.N_PIXELS"
            )
        check_report_classes(self.result.model.n_classes)

    @property
    def title(self) -> str:
        """What the scene is called."""
        return clean(self.name or self.result.scene.name)

    @property
    def look(self) -> Quicklook:
        """The pixels shown."""
        assert self.result.quicklook is not None
        return self.result.quicklook

    @property
    def statistics(self) -> ClassStatistics:
        """Of the classes."""
        assert self.result.statistics is not None
        return self.result.statistics


def check_report_classes(n_classes: int) -> None:
    """Check that a report has room for so many classes.

    Raises
    ------
    DataError
        Where they are more than 255.
    """
    if n_classes > MAX_CLASSES:
        raise DataError(f"a report shows up to {MAX_CLASSES} classes, and there are {n_classes:,}")


@dataclass(frozen=True)
class _ClassLine:
    """One line of the table of classes."""

    at: int
    value: int
    name: str
    colour: str
    pixels: str
    share: str
    area: str
    distance: str
    nearest: str


_AREA_UNITS = (("km²", 1e6), ("ha", 1e4), ("m²", 1.0))


def scene_context(report: SceneReport) -> dict[str, Any]:
    """Return what the template of a scene's page is filled with."""
    result = report.result
    numbers = _numbers(report)
    lines = _lines(report)
    shown = picture(report.look)
    values = values_planes(report.look)
    return {
        "title": f"{report.title}: {_classes(result.model.n_classes)}",
        "kind": "Scene report",
        "lead": _lead(report),
        "numbers": numbers,
        "number_columns": number_columns(len(numbers)),
        "sampling_note": _sampling_note(report, values is not None),
        "picture_note": _picture_note(report, shown),
        "lines": lines,
        "area_unit": "" if result.sizes.areas is None else _area_unit(report)[0],
        "units": _units(report),
        "bands": _band_names(report),
        "signatures": _signatures(report.statistics),
        "matrix": _matrix(report.statistics.separability),
        "pairs": _pairs(report),
        "history_note": _history_note(report),
        "scene_facts": _scene_facts(report),
        "facts": making_facts(report.provenance, _making(report)),
        "page_data": _page_data(report, shown, values),
    }


def _page_data(report: SceneReport, shown: Picture, values: list[dict[str, Any]] | None) -> dict[str, Any]:
    from kmosaic.scenes.map.palette import distinct_colours

    result, look = report.result, report.look
    height, width = look.labels.shape
    fit = result.fit
    a, b, _, d, e, _ = result.scene.grid.transform
    return {
        "height": height,
        "width": width,
        "aspect": width * float(np.hypot(a, d)) / (height * float(np.hypot(b, e))),
        "step": look.step,
        "first": look.first,
        "transform": list(result.scene.grid.transform),
        "has_crs": bool(result.scene.grid.crs),
        "labels": labels_plane(look.labels),
        "picture": shown.uri,
        "pixel_values": values,
        "value_bands": [_band_names(report)[band] for band in look.bands],
        "bands": _band_names(report),
        "classes": _class_data(report),
        "palettes": {
            "map": _hex(result.model.colours),
            "distinct": _hex(distinct_colours(result.model.n_classes)),
        },
        "scaling": {
            "method": result.model.scaling.method,
            "shift": list(result.model.scaling.shift),
            "factor": list(result.model.scaling.factor),
        },
        "history": [] if fit is None else fit.history.tolist(),
        "rounds": [] if fit is None else [[done.n_steps, done.n_classes] for done in fit.rounds],
        "units": _units(report),
    }


def _class_data(report: SceneReport) -> list[dict[str, Any]]:
    result, statistics = report.result, report.statistics
    return [
        {
            "value": value,
            "name": clean(result.names[label]),
            "pixels": int(result.sizes.pixels[label]),
            "mean": _numbers_or_none(statistics.means[label]),
            "deviation": _numbers_or_none(statistics.deviations[label]),
        }
        for label, value in enumerate(result.coding.values)
    ]


def _numbers_or_none(numbers: NDArray[np.float64]) -> list[float | None]:
    return [None if np.isnan(number) else float(f"{number:.6g}") for number in numbers.tolist()]


def _hex(colours: NDArray[np.uint8]) -> list[str]:
    return [f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in colours.tolist()]


def _classes(n: int) -> str:
    return count(n, "class", "classes")


def _lead(report: SceneReport) -> str:
    result = report.result
    present, missing = int(result.sizes.pixels.sum()), result.sizes.missing
    pixels = f"{count(present, 'pixel')} of {count(len(result.scene.bands), 'band')}"
    fit = result.fit
    if fit is None:
        trained = clean(result.model.trained_on)
        how = f"were each given the nearest of {_classes(result.model.n_classes)} found before in {trained}"
    else:
        on = "all of them" if fit.sampled is None else f"a sample of {fit.sampled:,} of them"
        how = f"were put in {_classes(result.model.n_classes)} by k-means on {on}"
    left_out = f" {count(missing, 'pixel is', 'pixels are')} missing, and in no class." if missing else ""
    return (
        f"{pixels} {how}. No class was given beforehand: each is a group of pixels that are alike.{left_out}"
    )


def _units(report: SceneReport) -> str:
    method = report.result.model.scaling.method
    return "squared band values" if method == "none" else f"squared values of bands scaled by {method}"


def _numbers(report: SceneReport) -> list[Fact]:
    result, fit = report.result, report.result.fit
    missing = f"{result.sizes.missing:,} more are missing" if result.sizes.missing else ""
    numbers = [
        Fact("Pixels", f"{int(result.sizes.pixels.sum()):,}", missing),
        Fact("Classes", f"{result.model.n_classes:,}", _classes_note(report)),
    ]
    if result.sizes.areas is not None:
        unit, square_metres = _area_unit(report)
        total = float(result.sizes.areas.sum()) / square_metres
        numbers.append(Fact("Area", f"{_short(total)} {unit}", "of all classes"))
    if result.inertia is not None:
        numbers.append(Fact("Inertia J", inertia_text(result.inertia), _units(report)))
    if fit is not None:
        ended = "converged" if fit.converged else "not converged"
        if fit.n_start:
            ended = f"{ended}; {fit.n_start:,} on pixels drawn before"
        numbers.append(Fact("Iterations", f"{fit.n_iter:,}", ended))
        numbers.append(Fact("Fit time", duration(result.fit_seconds)))
    numbers.append(Fact("Map time", duration(result.map_seconds)))
    return numbers


def _classes_note(report: SceneReport) -> str:
    fit = report.result.fit
    if fit is None:
        return "of a model"
    return f"from {fit.rounds[0].n_classes:,}, split and merged" if fit.rounds else ""


def _area_unit(report: SceneReport) -> tuple[str, float]:
    """The largest unit of which the scene has a hundred, or square metres: name and size."""
    areas = report.result.sizes.areas
    total = 0.0 if areas is None else float(areas.sum())
    return next((unit for unit in _AREA_UNITS if total >= 100 * unit[1]), _AREA_UNITS[-1])


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:,.4g}"


def _lines(report: SceneReport) -> list[_ClassLine]:
    result, statistics = report.result, report.statistics
    distances = result.mean_squared_distances
    areas, (_, square_metres) = result.sizes.areas, _area_unit(report)
    colours = _hex(result.model.colours)
    assert distances is not None
    return [
        _ClassLine(
            at=label,
            value=value,
            name=clean(result.names[label]),
            colour=colours[label],
            pixels=f"{int(result.sizes.pixels[label]):,}",
            share=percent(float(result.sizes.shares[label])),
            area="" if areas is None else _short(float(areas[label]) / square_metres),
            distance="" if np.isnan(distances[label]) else f"{distances[label]:,.4g}",
            nearest=""
            if (near := statistics.nearest[label]) is None
            else f"{result.coding.values[near]} ({statistics.separability[label, near]:.2f})",
        )
        for label, value in enumerate(result.coding.values)
    ]


def _band_names(report: SceneReport) -> list[str]:
    bands = report.result.scene.bands
    return [clean(band.description) or f"band {number}" for number, band in enumerate(bands, 1)]


def _signatures(statistics: ClassStatistics) -> list[list[str]]:
    """Mean and deviation of each class in each band, as texts."""
    return [
        ["" if np.isnan(mean) else f"{mean:,.4g} ± {spread:,.3g}" for mean, spread in zip(*row, strict=True)]
        for row in zip(statistics.means.tolist(), statistics.deviations.tolist(), strict=True)
    ]


@dataclass(frozen=True)
class _Cell:
    """A cell of the matrix: its text, and how alike the classes are, 0 (told apart) to 1."""

    text: str
    alike: str


def _matrix(separability: NDArray[np.float64]) -> list[list[_Cell]] | None:
    if not 1 < len(separability) <= _MAX_IN_MATRIX:
        return None
    cells = [
        [_Cell("", "0") if np.isnan(jm) else _Cell(f"{jm:.2f}", f"{1 - jm / 2:.3f}") for jm in row]
        for row in separability.tolist()
    ]
    for label, row in enumerate(cells):
        row[label] = _Cell("", "0")
    return cells


def _pairs(report: SceneReport) -> list[tuple[int, int, str]]:
    """Where there is no matrix: the pairs that are told apart least."""
    apart = report.statistics.separability
    if len(apart) <= _MAX_IN_MATRIX:
        return []
    values = report.result.coding.values
    first, second = np.triu_indices(len(apart), 1)
    order = np.argsort(apart[first, second], kind="stable")[:_MAX_PAIRS]  # NaN comes last
    pairs = [(int(first[place]), int(second[place])) for place in order]
    return [(values[i], values[j], f"{apart[i, j]:.2f}") for i, j in pairs if not np.isnan(apart[i, j])]


def _sampling_note(report: SceneReport, has_values: bool) -> str:
    look, grid = report.look, report.result.scene.grid
    shape = f"{look.labels.shape[1]:,} x {look.labels.shape[0]:,}"
    if look.step == 1:
        text = f"All {shape} pixels are shown."
    else:
        text = (
            f"Shown are {shape} of the scene's {grid.width:,} x {grid.height:,} pixels: one in "
            f"{look.step**2:,}, that in the middle of each {look.step} x {look.step}, as it is. Sizes, areas "
            "and all other figures are of all pixels."
        )
    if not has_values:
        text += " Pixel values are left out of this page to keep it small."
    elif len(look.bands) < len(report.result.scene.bands):
        text += " Pixel values are those of the picture's bands."
    return text


def _picture_note(report: SceneReport, shown: Picture) -> str:
    look, names = report.look, _band_names(report)
    bands = [names[look.bands[place]] for place in look.rgb]
    if len(set(bands)) == 1:
        text = f"{bands[0]} in grey"
    else:
        text = f"{bands[0]}, {bands[1]} and {bands[2]} as red, green and blue"
    ranges = list(dict.fromkeys(zip(bands, shown.ranges, strict=True)))
    stretched = "; ".join(f"{band}: {_short(dark)} to {_short(bright)}" for band, (dark, bright) in ranges)
    lossy = " Compressed as JPEG, which changes colours a little." if shown.lossy else ""
    return f"{text}, each from black at its 2nd percentile to full at its 98th ({stretched}).{lossy}"


def _history_note(report: SceneReport) -> str:
    fit = report.result.fit
    if fit is None:
        return ""
    if not fit.rounds:
        return (
            "The assignment step gives every pixel to its nearest centre, the update step moves every centre "
            "to the mean of its pixels. Neither can raise J, and the fit ends when no pixel changes class."
            + f" {_history_start(fit.sampled is not None)}"
        )
    changes = [
        (sum(getattr(done, what) for done in fit.rounds), what) for what in ("dissolved", "split", "merged")
    ]
    listed = ", ".join(f"{n:,} {what}" for n, what in changes)
    return (
        f"Between {count(len(fit.rounds), 'round')} of Lloyd's algorithm, each marked by its number of "
        f"classes, classes were changed ({listed}). Within a round J cannot rise; fewer classes raise it, "
        "more lower it."
    )


def _history_start(on_sample: bool) -> str:
    """What the first J is of."""
    if on_sample:
        return "This one ran on a sample, whose J it is."
    from kmosaic.scenes.fit.fitting import SEED_PIXELS

    return f"It starts from classes of up to {SEED_PIXELS:,} of the pixels, so its course may be short."


def _scene_facts(report: SceneReport) -> list[Fact]:
    scene = report.result.scene
    grid = scene.grid
    a, b, c, d, e, f = grid.transform
    facts = [
        Fact("Scene", report.title),
        Fact("Size", f"{grid.width:,} x {grid.height:,} pixels"),
        Fact("CRS", _crs_name(grid.crs)),
    ]
    if grid.crs or (a, b, c, d, e, f) != (1, 0, 0, 0, 1, 0):
        facts.append(Fact("Pixel", f"{np.hypot(a, d):,.10g} x {np.hypot(b, e):,.10g} in units of the CRS"))
        facts.append(Fact("Upper left", f"x {c:,.12g}, y {f:,.12g}"))
    if report.result.sizes.areas is None:
        facts.append(Fact("Areas", "not known: the scene does not say what its pixels cover"))
    return [*facts, Fact("Bands", _bands_line(report))]


def _bands_line(report: SceneReport) -> str:
    bands = report.result.scene.bands
    names = _band_names(report)
    listed = [
        f"{name} ({band.dtype}{'' if band.nodata is None else f', nodata {band.nodata:g}'})"
        for name, band in zip(names, bands, strict=True)
    ]
    more = f" and {len(listed) - _MAX_NAMED_BANDS:,} more" if len(listed) > _MAX_NAMED_BANDS else ""
    return f"{len(bands):,}: {', '.join(listed[:_MAX_NAMED_BANDS])}{more}"


def _crs_name(wkt: str) -> str:
    """The CRS by its name, with its number in a registry where it has one.

    >>> _crs_name('PROJCS["WGS 84 / UTM zone 18N",UNIT["metre",1],AUTHORITY["EPSG","32618"]]')
    'WGS 84 / UTM zone 18N (EPSG:32618)'
    """
    if not wkt:
        return "none"
    name = re.match(r'\s*\w+\s*\[\s*"([^"]*)"', wkt)
    number = re.search(r'(?:AUTHORITY|ID)\["(\w+)","?(\d+)"?\]\]\s*$', wkt)
    projection = re.search(r'PROJECTION\["([^"]*)"', wkt)
    text = clean(name[1]) if name else "unnamed"
    if text in ("unnamed", "unknown") and projection:
        text += f", {clean(projection[1].replace('_', ' '))}"
    return f"{text} ({number[1]}:{number[2]})" if number else text


def _making(report: SceneReport) -> dict[str, object]:
    result = report.result
    made: dict[str, object] = {}
    if result.fit is None:
        made["Classes"] = f"of a model fitted on {clean(result.model.trained_on)}"
    else:
        made["Algorithm"] = "k-means: greedy k-means++ on a sample of pixels, then Lloyd's algorithm, exact"
    made["Scaling of bands"] = result.model.scaling.method
    given = ", ".join(f"{name}={_plain(value)}" for name, value in report.parameters.items())
    if given:
        made["Options"] = given
    if result.path is not None:
        made["Map"] = clean(result.path.name)
    return made


def _plain(value: object) -> str:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ",".join(map(str, value))
    return str(value)
