"""Texts that several layers write: counts, units of inertia, and names made safe to print."""

from __future__ import annotations

import re

# Control characters act on terminals, and lone surrogates (file names that are not UTF-8) cannot be written.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def count(n: float, one: str, many: str | None = None) -> str:
    """Return a count with its noun.

    >>> count(1, "image"), count(60000, "image"), count(0, "box", "boxes")
    ('1 image', '60,000 images', '0 boxes')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def whole(number: float) -> str:
    """Return a number without decimals, from a quadrillion on as a power of ten.

    >>> whole(1512363.4), whole(1e99)
    ('1,512,363', '1e+99')
    """
    return f"{number:,.0f}" if abs(number) < 1e15 else f"{number:.6g}"


def printable(text: str) -> str:
    r"""Return ``text`` with control characters and undecodable bytes written as escapes.

    >>> printable("new\nline")
    'new\\x0aline'
    """
    return UNPRINTABLE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    code = ord(match.group())
    # os.fsdecode maps the undecodable byte 0xNN to U+DCNN.
    code = code - 0xDC00 if 0xDC80 <= code <= 0xDCFF else code
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([a-z]*)")


def bytes_in(text: str) -> int:
    """Return an amount of memory in bytes.

    Raises ValueError where the text is none.

    >>> bytes_in("512MB"), bytes_in("2 GiB")
    (512000000, 2147483648)
    """
    size = _SIZE.fullmatch(text.strip().lower())
    if size is None or size[2] not in _UNITS or not float(size[1]):
        raise ValueError(f"{text!r} is no amount of memory; write 512MB, 1GB or 2GiB")
    return int(float(size[1]) * _UNITS[size[2]])


def inertia_units(features: str | None, *, spherical: bool = False) -> str:
    """Return the unit of inertia: squared pixel values, or squared distances of ``features``.

    Where rows are compared by their direction it is the cosine distance.

    >>> inertia_units(None), inertia_units("gradients"), inertia_units("gradients", spherical=True)
    ('squared pixel values', 'squared distances of gradients', 'cosine distances of gradients')
    """
    if spherical:
        return f"cosine distances of {features or 'pixel values'}"
    return "squared pixel values" if features is None else f"squared distances of {features}"


def scaled_units(features: str | None = None) -> str:
    """Return the unit of inertia in a sweep, where pixel values are divided by that of full brightness.

    >>> scaled_units(), scaled_units("gradients")
    ('squared pixel values, scaled to 0..1', 'squared distances of gradients')
    """
    return inertia_units(features) + (", scaled to 0..1" if features is None else "")
