"""Names, counts and durations as a reader wants them; text from users made safe to draw."""

from __future__ import annotations

import math
import unicodedata

from kmosaic.text import whole

_KEPT_FORMAT_CHARACTERS = {"\u200c", "\u200d"}  # joiners: scripts and emoji need them
_TEXT_WIDTH = 0.61  # mean advance of DejaVu Sans in em, over digits and lower-case letters


def clean(text: object) -> str:
    """Return ``text`` on one line, without control, direction-changing or unencodable characters.

    File names may hold any of these (a lone surrogate stands for a byte that is no UTF-8).

    >>> clean("a\\nb\\u202ec")
    'a b\\ufffdc'
    """
    words = " ".join(str(text).split())
    if words.isprintable():
        return words
    return "".join(
        "\ufffd" if unicodedata.category(c).startswith("C") and c not in _KEPT_FORMAT_CHARACTERS else c
        for c in words
    )


def columns(text: str) -> int:
    """Width of ``text`` in character cells: East Asian wide characters count two, combining ones none.

    >>> columns("cat"), columns("猫")
    (3, 2)
    """
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )


def text_pixels(text: str, font_size: float) -> float:
    """Return about how many pixels wide ``text`` is at ``font_size`` points."""
    return columns(text) * _TEXT_WIDTH * font_size * 100 / 72


def shorten(text: str, n_columns: int) -> str:
    """Cut ``text`` to ``n_columns`` character cells, with an ellipsis where something is left out.

    >>> shorten("automobile", 6), shorten("cat", 6), shorten("cat", 1)
    ('autom…', 'cat', '…')
    """
    if columns(text) <= n_columns:
        return text
    kept = ""
    for character in text:
        if columns(kept + character) > n_columns - 1:
            break
        kept += character
    return kept.rstrip() + "…"


def duration(seconds: float) -> str:
    """Return a time span as a reader says it.

    >>> duration(0.0042), duration(3.21), duration(75), duration(7325)
    ('4.2 ms', '3.2 s', '1 min 15 s', '2 h 2 min')
    """
    if seconds < 1:
        return f"{seconds * 1000:.2g} ms" if seconds < 0.0995 else f"{seconds:.2f} s"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def memory(n_bytes: float) -> str:
    """Return a number of bytes in decimal units.

    >>> memory(512), memory(47_000_000), memory(1.5e9)
    ('512 B', '47 MB', '1.5 GB')
    """
    if n_bytes < 1000:
        return f"{n_bytes:.0f} B"
    power = min(4, int(math.log10(n_bytes) // 3))
    value = n_bytes / 1000**power
    return f"{value:.3g} {'BkMGT'[power]}B" if value < 999.5 else f"{value:.0f} {'BkMGT'[power]}B"


def percent(share: float) -> str:
    """Return a share in per cent with one decimal, the one style of every share.

    >>> percent(0.5), percent(0.0312), percent(0.8371), percent(1.0)
    ('50.0%', '3.1%', '83.7%', '100.0%')
    """
    return f"{share * 100:.1f}%"


def inertia_text(value: float) -> str:
    """Return an inertia with six figures, and from a million on with all before the point.

    >>> inertia_text(1512363.4), inertia_text(5921.857), inertia_text(0.5), inertia_text(0.0)
    ('1,512,363', '5,921.86', '0.500000', '0')
    """
    if value == 0 or abs(value) >= 1e6:
        return whole(value)
    digits = max(0, 5 - math.floor(math.log10(abs(value))))
    return f"{value:.6g}" if digits > 10 else f"{value:,.{digits}f}"
