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


Report = FitReport | SweepReport | SceneReport | ColoursReport | DuplicatesReport
_PAGES: dict[type, tuple[str, Callable[..., dict[str, Any]]]] = {
    FitReport: ("fit", fit_context),
    SweepReport: ("sweep", sweep_context),
    SceneReport: ("scene", scene_context),
    ColoursReport: ("colours", colours_context),
    DuplicatesReport: ("duplicates", duplicates_context),
}


def write_report(path: str | os.PathLike[str], report: Report, overwrite: bool = False) -> Path:
    """Write the page of a report, and its pictures where it has a folder for them.

    Raises OutputError where one of both exists and ``overwrite`` is false, or cannot be written.
    """
    thumbnails = report.thumbnails if isinstance(report, FitReport) else None
    if thumbnails is None:
        return write_page(path, lambda: render_report(report), overwrite)
    target = check_output(path, overwrite=overwrite)
    check_thumbnails(thumbnails.folder, target, overwrite=overwrite)
    with writing_sheets(thumbnails, target, overwrite=overwrite) as files:
        return write_page(target, lambda: _page(report, files), overwrite)


def render_report(report: Report) -> str:
    """Return the page of a report as HTML, with its pictures in it."""
    return _page(report)


def _page(report: Report, *files: SheetFiles) -> str:
    name, context = _PAGES[type(report)]
    return render_page(_TEMPLATES / f"{name}.html.j2", context(report, *files), SCRIPTS / f"{name}.js")


# Names by what is reported.
write_fit_report = write_sweep_report = write_scene_report = write_report
write_colours_report = write_duplicates_report = write_report
render_fit_report = render_sweep_report = render_scene_report = render_report
render_colours_report = render_duplicates_report = render_report


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
        # File names may hold control characters and lone surrogates; HTML may not.
        finalize=lambda value: clean(value) if type(value) is str else value,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    styles = [_TEMPLATES / "style.css", *([] if folder == _TEMPLATES else sorted(folder.glob("*.css")))]
    environment.globals["style"] = Markup("\n".join(path.read_text(encoding="utf-8") for path in styles))
    return environment
