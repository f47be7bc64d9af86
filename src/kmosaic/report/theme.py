"""The two looks of every picture, light and dark, in colours that colour-blind readers can tell apart."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Literal

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

DPI = 100
"""Pixels an inch of every picture; layouts are counted in these pixels."""

ThemeName = Literal["light", "dark"]

# Tried in this order after matplotlib's own font, for names in scripts that it does not cover.
_FALLBACK_FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Arial Unicode MS",
)


@dataclass(frozen=True)
class Theme:
    """Colours of one look; ``series`` follows Okabe and Ito (2008), at least 3:1 against the background."""

    name: ThemeName
    background: str
    text: str
    muted: str
    grid: str
    series: tuple[str, str, str]
    wrong: str
    empty: str
    colormap: str = "cividis"


LIGHT = Theme(
    name="light",
    background="#ffffff",
    text="#1b1e23",
    muted="#5b626d",
    grid="#e1e4e8",
    series=("#0072b2", "#d55e00", "#00805d"),
    wrong="#b8390e",
    empty="#eef0f2",
)
DARK = Theme(
    name="dark",
    background="#16181d",
    text="#eceef1",
    muted="#a3abb7",
    grid="#31363f",
    series=("#56b4e9", "#e69f00", "#2fc39b"),
    wrong="#ff9a6b",
    empty="#22262d",
)
THEMES: dict[str, Theme] = {theme.name: theme for theme in (LIGHT, DARK)}


@cache
def font_families() -> tuple[str, ...]:
    """The fonts of every picture: matplotlib's own, then those installed that cover other scripts."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed))


def new_figure(width: float, height: float, theme: Theme) -> Figure:
    """Return an empty figure of ``width`` x ``height`` pixels, free of pyplot's global state.

    >>> figure = new_figure(400, 300, LIGHT)
    >>> [float(inches) for inches in figure.get_size_inches()]
    [4.0, 3.0]
    """
    return Figure(figsize=(width / DPI, height / DPI), dpi=DPI, facecolor=theme.background)


def style_axes(axes: Axes, theme: Theme, *, grid: Literal["x", "y", "both"] | None = "y") -> None:
    """Give ``axes`` the look of ``theme``: two quiet spines, a thin grid behind the data, readable labels."""
    axes.set_facecolor(theme.background)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(theme.muted)
        spine.set_linewidth(0.8)
    axes.tick_params(
        which="both",
        color=theme.muted,
        labelcolor=theme.text,
        labelsize=10,
        labelfontfamily=list(font_families()),
    )
    axes.set_axisbelow(True)
    if grid is not None:
        axes.grid(visible=True, axis=grid, color=theme.grid, linewidth=0.8)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set(color=theme.text, fontsize=10.5)


def set_title(axes: Axes, text: str, theme: Theme, *, pad: float = 12) -> None:
    """Write ``text`` over the left end of ``axes``, ``pad`` points above it."""
    axes.set_title(text, loc="left", pad=pad, fontsize=12, fontweight="bold", color=theme.text)


def finish(figure: Figure) -> Figure:
    """Set the fonts of every text in ``figure``, and take ``$`` in names as it stands, not as a formula."""
    literal_text(figure.findobj(Text))
    return figure


def literal_text(texts: Iterable[object]) -> None:
    """Draw ``texts`` in kmosaic's fonts and letter by letter: a label may hold ``$``, which is no formula."""
    for text in texts:
        if isinstance(text, Text):
            text.set_fontfamily(list(font_families()))
            text.set_parse_math(False)
            text.set_text(drawable(text.get_text()))


def drawable(text: str) -> str:
    """Return ``text`` with a box for every character that no font at hand can draw.

    >>> drawable("cat \U000f0000")
    'cat □'
    """
    known = _drawable_characters()
    return "".join(c if ord(c) in known or c == "\n" else "□" for c in text)


@cache
def _drawable_characters() -> frozenset[int]:
    paths = (font_manager.findfont(family) for family in font_families())
    return frozenset().union(*(font_manager.get_font(path).get_charmap() for path in paths))
