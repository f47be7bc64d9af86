"""Sub-interpreters, which neither the native core nor NumPy and scikit-learn can run in."""

from __future__ import annotations

from importlib import import_module


def refuse_sub_interpreters() -> None:
    """Raise ImportError in any but the main interpreter, before anything is imported that hangs there."""
    for name in ("_interpreters", "_xxsubinterpreters"):  # from Python 3.13 on; before
        try:
            interpreters = import_module(name)
        except ImportError:
            continue
        if interpreters.get_current() != interpreters.get_main():
            raise ImportError(
                "kmosaic cannot be imported in a sub-interpreter: its native core, NumPy and scikit-learn "
                "need the main one; use threads or processes"
            )
        return
