"""Texts made fit to be drawn and written."""

from __future__ import annotations

from itertools import product

from kmosaic.report.theme import DARK, LIGHT, drawable
from kmosaic.report.wording import clean, columns, shorten


def test_nothing_that_acts_on_a_page_is_left() -> None:
    for text in ["a\x00b", "a\x1b[31mb", "a\udcffb", "a\u202eb", "a\u2028b", "a\r\nb", "a\tb"]:
        cleaned = clean(text)
        assert cleaned.isprintable()
        assert cleaned.startswith("a")
        assert cleaned.endswith("b")
        cleaned.encode("utf-8")


def test_ordinary_names_stay() -> None:
    for text in ("T-shirt/top", "猫と犬", "naïve", "नमस्ते", "a b"):
        assert clean(text) == text


def test_shortened_text_fits() -> None:
    for n, text in product(range(1, 12), ["automobile", "猫と犬と鳥と", "a b c d e f g", ""]):
        assert columns(shorten(text, n)) <= n
        assert shorten(text, 99) == text


def test_what_no_font_draws_is_a_box() -> None:
    assert drawable("a\U000f0000b\n") == "a□b\n"


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG 2, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_themes_have_contrast() -> None:
    for theme in [LIGHT, DARK]:
        for colour in (theme.text, theme.muted, theme.wrong):
            assert contrast(colour, theme.background) >= 4.5
        for colour in theme.series:
            assert contrast(colour, theme.background) >= 3
