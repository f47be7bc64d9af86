"""The lesson: k-means explained on points and pictures, every step computed by kmosaic's own estimators."""

from typing import TYPE_CHECKING, Any

from kmosaic.explain.files import check_animation_name, speaker_notes, write_animation, write_frames
from kmosaic.explain.lesson import PARTS, Lesson, make_lesson
from kmosaic.explain.page import render_lesson, write_lesson
from kmosaic.explain.points import PointSet
from kmosaic.explain.points_file import read_points
from kmosaic.explain.scaling import scale_hint
from kmosaic.explain.trace import Step, Trace, trace
from kmosaic.libraries import drawing_module

if TYPE_CHECKING:
    from kmosaic.explain.slides import Frame, frames

__all__ = [
    "PARTS",
    "Frame",
    "Lesson",
    "PointSet",
    "Step",
    "Trace",
    "check_animation_name",
    "frames",
    "make_lesson",
    "read_points",
    "render_lesson",
    "scale_hint",
    "speaker_notes",
    "trace",
    "write_animation",
    "write_frames",
    "write_lesson",
]


def __getattr__(name: str) -> Any:
    if name not in ("Frame", "frames"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(drawing_module("kmosaic.explain.slides"), name)
