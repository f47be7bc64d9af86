"""A word before an allocation that the machine cannot hold."""

from __future__ import annotations

import psutil

from kmosaic.errors import DataError


def check_memory(n_bytes: int, what: str, advice: str) -> None:
    """Refuse an allocation of ``n_bytes`` that is more than the memory available now.

    Raises DataError saying what needs how much, how much there is, and ``advice`` on what to do.

    >>> check_memory(1000, "3 images", "choose a smaller size")
    """
    available = int(psutil.virtual_memory().available)
    if n_bytes > available:
        raise DataError(
            f"{what}: {in_words(n_bytes)} of memory needed, {in_words(available)} available; {advice}"
        )


def in_words(n_bytes: int) -> str:
    """A number of bytes with a decimal unit.

    >>> in_words(47_040_016), in_words(512)
    ('47.0 MB', '512 bytes')
    """
    for unit, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if n_bytes >= unit:
            # Integer division first: a hostile header may claim more bytes than a float holds.
            return f"{n_bytes // (unit // 10) / 10:.1f} {name}" if n_bytes < 10**18 else "more than 1 EB"
    return f"{n_bytes} bytes"
