"""Reports: one self-contained HTML file each, which asks no network and runs nothing but its own scripts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from kmosaic.files import atomic_write, check_output
from kmosaic.report.colours_page import ColoursReport, colours_context
from kmosaic.report.duplicates_page import DuplicatesReport, duplicates_context
from kmosaic.report.fit_page import FitReport, fit_context
from kmosaic.report.scene_page import SceneReport, scene_context
from kmosaic.report.scripting import SCRIPTS, json_text, page_scripts, policy
from kmosaic.report.sweep_page import SweepReport, sweep_context
from kmosaic.report.thumbnails import SheetFiles, check_thumbnails, writing_sheets
from kmosaic.report.wording import clean

_TEMPLATES = Path(__file__).with_name("templates")


def write_fit_report(path: str | os.PathLike[str], report: FitReport, overwrite: bool = False) -> Path:
    """Write the report of one fit, and its pictures where it has a folder for them.

    Raises OutputError where one of both exists and ``overwrite`` is false, or cannot be written.
    """
    if report.thumbnails is None:
        return write_page(path, lambda: render_fit_report(report), overwrite)
    target = check_output(path, overwrite=overwrite)
    check_thumbnails(report.thumbnails.folder, target, overwrite=overwrite)
    with writing_sheets(report.thumbnails, target, overwrite=overwrite) as files:
        return write_page(target, lambda: _fit_page(report, files), overwrite)


def write_sweep_report(path: str | os.PathLike[str], report: SweepReport, overwrite: bool = False) -> Path:
    """Write the report of a sweep; OutputError as :func:`write_fit_report`."""
    return write_page(path, lambda: render_sweep_report(report), overwrite)


def write_scene_report(path: str | os.PathLike[str], report: SceneReport, overwrite: bool = False) -> Path:
    """Write the report of a scene's classes; OutputError as :func:`write_fit_report`."""
    return write_page(path, lambda: render_scene_report(report), overwrite)


def write_colours_report(
    path: str | os.PathLike[str], report: ColoursReport, overwrite: bool = False
) -> Path:
    """Write the report of a picture in few colours; OutputError as :func:`write_fit_report`."""
    return write_page(path, lambda: render_colours_report(report), overwrite)


def write_duplicates_report(
    path: str | os.PathLike[str], report: DuplicatesReport, overwrite: bool = False
) -> Path:
    """Write the page of groups of duplicates; OutputError as :func:`write_fit_report`."""
    return write_page(path, lambda: render_duplicates_report(report), overwrite)


def render_fit_report(report: FitReport) -> str:
    """Return the report of one fit as HTML, with its pictures in it."""
    return _fit_page(report, None)


def _fit_page(report: FitReport, files: SheetFiles | None) -> str:
    return render_page(_TEMPLATES / "fit.html.j2", fit_context(report, files), SCRIPTS / "fit.js")


def render_sweep_report(report: SweepReport) -> str:
    """Return the report of a sweep as HTML."""
    return render_page(_TEMPLATES / "sweep.html.j2", sweep_context(report), SCRIPTS / "sweep.js")


def render_scene_report(report: SceneReport) -> str:
    """Return the report of a scene's classes as HTML."""
    return render_page(_TEMPLATES / "scene.html.j2", scene_context(report), SCRIPTS / "scene.js")


def render_colours_report(report: ColoursReport) -> str:
    """Return the report of a picture in few colours as HTML."""
    return render_page(_TEMPLATES / "colours.html.j2", colours_context(report), SCRIPTS / "colours.js")


def render_duplicates_report(report: DuplicatesReport) -> str:
    """Return the page of groups of duplicates as HTML."""
    return render_page(
        _TEMPLATES / "duplicates.html.j2", duplicates_context(report), SCRIPTS / "duplicates.js"
    )


def write_page(path: str | os.PathLike[str], render: Callable[[], str], overwrite: bool) -> Path:
    """Render a page and write it, whole or not at all; check ``path`` first, because rendering takes long.

    Raises OutputError when ``path`` exists and ``overwrite`` is false, or cannot be written.
    """
    target = check_output(path, overwrite=overwrite)
    page = render()
    with atomic_write(target, overwrite=overwrite) as temporary:
        temporary.write_bytes(page.encode("utf-8"))
    return target


def render_page(template: Path, context: Mapping[str, Any], entry: Path) -> str:
    """Return ``template`` filled with ``context``, with the script module ``entry`` and what that imports.

    ``context["page_data"]`` is what the script reads: anything that JSON can hold. ``context["beside"]``, if
    any, says that the page has pictures in files beside it.
    """
    scripts = page_scripts(entry)
    more = {
        "scripts": scripts,
        "policy": Markup(policy(scripts, beside=bool(context.get("beside")))),
        "page_data": json_text(context["page_data"]),
    }
    return _environment(template.parent).get_template(template.name).render({**context, **more})


@cache
def _environment(folder: Path) -> Environment:
    environment = Environment(
        loader=FileSystemLoader([folder, _TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_one_line,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    styles = [_TEMPLATES / "style.css", *([] if folder == _TEMPLATES else sorted(folder.glob("*.css")))]
    environment.globals["style"] = Markup("\n".join(path.read_text(encoding="utf-8") for path in styles))
    return environment


def _one_line(value: object) -> object:
    """Free a value from control characters and lone surrogates: file names may hold them, HTML may not."""
    return clean(value) if isinstance(value, str) and not isinstance(value, Markup) else value
