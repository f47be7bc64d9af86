"""Tests on each of this processor's instruction sets."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from kmosaic import _core

CPUS = [name for name, supported in _core.cpu()["variants"].items() if supported]


@contextmanager
def running_on(cpu: str) -> Iterator[None]:
    """Kernels of this instruction set and of no other; an error says which."""
    _core.select_cpu(cpu)
    try:
        assert _core.cpu()["variant"] == cpu or not cpu
        yield
    except BaseException as error:
        error.add_note(f"on {cpu}")
        raise
    finally:
        _core.select_cpu("")


def on_every_cpu(test: Callable[..., None]) -> Callable[..., None]:
    """Run the test on each instruction set in turn."""

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        for cpu in CPUS:
            with running_on(cpu):
                test(**fixtures)

    return run
