"""Pictures and self-contained reports from finished results; nothing here fits or prints anything."""

from typing import TYPE_CHECKING, Any

from kmosaic.libraries import drawing_module
from kmosaic.report.colours_page import ColoursReport
from kmosaic.report.duplicates_page import DuplicatesReport
from kmosaic.report.fit_page import FitReport
from kmosaic.report.member_rows import clusters_to_show, medoid_pixels
from kmosaic.report.page import (
    render_colours_report,
    render_duplicates_report,
    render_fit_report,
    render_report,
    render_scene_report,
    render_sweep_report,
    write_colours_report,
    write_duplicates_report,
    write_fit_report,
    write_report,
    write_scene_report,
    write_sweep_report,
)
from kmosaic.report.provenance import Provenance, Versions
from kmosaic.report.scene_page import N_PIXELS, SceneReport, check_report_classes
from kmosaic.report.sweep_page import SweepReport
from kmosaic.report.thumbnails import Thumbnails, check_thumbnails

if TYPE_CHECKING:
    from kmosaic.report.clusters import cluster_sizes, confusion_matrix
    from kmosaic.report.curves import CurveOptions, sweep_curve, sweep_curves
    from kmosaic.report.history import inertia_history
    from kmosaic.report.members import cluster_members
    from kmosaic.report.mosaic import MosaicText, centroid_mosaic, first_images
    from kmosaic.report.pictures import save_figure
    from kmosaic.report.theme import DARK, LIGHT, THEMES, Theme

# The pictures need matplotlib, which the pages do without; so each is imported when it is first asked for.
_PICTURES = {
    "clusters": ("cluster_sizes", "confusion_matrix"),
    "curves": ("CurveOptions", "sweep_curve", "sweep_curves"),
    "history": ("inertia_history",),
    "members": ("cluster_members",),
    "mosaic": ("MosaicText", "centroid_mosaic", "first_images"),
    "pictures": ("save_figure",),
    "theme": ("DARK", "LIGHT", "THEMES", "Theme"),
}

__all__ = [
    "DARK",
    "LIGHT",
    "N_PIXELS",
    "THEMES",
    "ColoursReport",
    "CurveOptions",
    "DuplicatesReport",
    "FitReport",
    "MosaicText",
    "Provenance",
    "SceneReport",
    "SweepReport",
    "Theme",
    "Thumbnails",
    "Versions",
    "centroid_mosaic",
    "check_report_classes",
    "check_thumbnails",
    "cluster_members",
    "cluster_sizes",
    "clusters_to_show",
    "confusion_matrix",
    "first_images",
    "inertia_history",
    "medoid_pixels",
    "render_colours_report",
    "render_duplicates_report",
    "render_fit_report",
    "render_report",
    "render_scene_report",
    "render_sweep_report",
    "save_figure",
    "sweep_curve",
    "sweep_curves",
    "write_colours_report",
    "write_duplicates_report",
    "write_fit_report",
    "write_report",
    "write_scene_report",
    "write_sweep_report",
]


def __getattr__(name: str) -> Any:
    for module, names in _PICTURES.items():
        if name in names:
            return getattr(drawing_module(f"kmosaic.report.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
