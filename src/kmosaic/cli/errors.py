"""Every way a command can end badly, as one line on stderr and an exit code."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import warnings
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NoReturn

import click

from kmosaic.errors import KmosaicError
from kmosaic.text import UNPRINTABLE

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130  # 128 + SIGINT, what shells expect

_ARGUMENTS = "kmosaic.arguments"
_INTERRUPTED = "interrupted; no unfinished file is left behind"
# What the dynamic linker, NumPy, C++ and Python's threads say where memory, or room for addresses, is short.
_NO_MEMORY = re.compile(
    "failed to map segment|cannot allocate memory|can't start new thread|resource temporarily unavailable",
    re.I,
)
# With a limit on addresses below this, NumPy's and SciPy's OpenBLAS hang as they are loaded, or fail.
_MIN_ADDRESSES = 256 << 20


class StdoutError(OSError):
    """Standard output that cannot be written: a full disk behind it, for example."""


class CommandGroup(click.Group):
    """A group whose commands end in one line and an exit code, whatever happens; never in a traceback.

    ``KMOSAIC_DEBUG=1`` in the environment lets the traceback through, and shows what is logged: how a fit is
    carried out, and why.
    """

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Run the command line, then exit the process: 0, 1 (failed), 2 (usage) or 130 (interrupted)."""
        _open_closed_streams()
        try:
            extra["standalone_mode"] = False
            code = super().main(args, *more, **extra)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            sys.exit(EXIT_USAGE)
        except click.ClickException as error:
            _fail(_usage_text(error), EXIT_USAGE if isinstance(error, click.UsageError) else EXIT_FAILED)
        except BrokenPipeError:
            _forget_stdout()
            sys.exit(EXIT_FAILED)
        except OSError as error:  # a full disk behind stdout
            _forget_stdout()
            _fail(f"standard output cannot be written: {error.strerror}", EXIT_FAILED)
        except KeyboardInterrupt:
            _fail(_INTERRUPTED, EXIT_INTERRUPTED, kind="")
        sys.exit(code if isinstance(code, int) else 0)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the arguments as they were given, for reports and model files."""
        ctx.meta[_ARGUMENTS] = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which they are usually needed, that of their adding."""
        del ctx
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the chosen command, and put whatever it raises into words."""
        try:
            with _debug_log(), warnings.catch_warnings():
                warnings.showwarning = _show_warning
                _check_address_space()
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, BrokenPipeError, StdoutError):
            raise
        except KeyboardInterrupt as interruption:
            # One that is raised with a text says what is left behind.
            text = f"interrupted; {interruption}" if interruption.args else _INTERRUPTED
            _fail(text, EXIT_INTERRUPTED, kind="")
        except Exception as error:
            if _debugging():
                raise
            _fail(in_words(error), EXIT_FAILED)


def _debugging() -> bool:
    return os.environ.get("KMOSAIC_DEBUG") == "1"


@contextlib.contextmanager
def _debug_log() -> Iterator[None]:
    """Show on stderr what kmosaic logs, where debugging."""
    if not _debugging():
        yield
        return
    logger, handler = logging.getLogger("kmosaic"), logging.StreamHandler()
    level = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


def in_words(error: Exception) -> str:
    """Return an exception as one line that says what is wrong.

    >>> in_words(ValueError("n_clusters=9 is more than\\n8 rows"))
    'n_clusters=9 is more than 8 rows'
    >>> in_words(FileNotFoundError(2, "No such file or directory", "photos"))
    'photos: No such file or directory'
    """
    if _lacks_memory(error):
        return _memory_text(error)
    if isinstance(error, KmosaicError):
        return str(error)
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}"
    if isinstance(error, ValueError | OSError):
        return _one_line(str(error)) or type(error).__name__
    if isinstance(error, RuntimeError) and str(error).startswith("KMOSAIC_CPU="):
        advice = "unset KMOSAIC_CPU or name one of them" if "it has" in str(error) else "unset KMOSAIC_CPU"
        return f"{error}; {advice}"
    return (
        f"unexpected {type(error).__name__}: {error}; this is a bug, please report it with the traceback "
        "that KMOSAIC_DEBUG=1 shows"
    )


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether memory was short, in the error itself or, for a failed import, in what caused it."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(error, ImportError | RuntimeError) and _NO_MEMORY.search(str(error)):
        return True
    return isinstance(error, ImportError) and _lacks_memory(error.__cause__)


def _memory_text(error: Exception) -> str:
    if isinstance(error, ImportError):
        return "not enough memory to load libraries; free some, or raise the limit on it (ulimit -v)"
    reason = f" ({error})" if str(error) else ""
    return f"not enough memory{reason}; use fewer or smaller images, fewer clusters, or fewer threads"


def given_command(ctx: click.Context) -> str:
    """Return the command line as it was given, quoted for a shell."""
    import shlex

    return shlex.join(["kmosaic", *ctx.find_root().meta.get(_ARGUMENTS, ())])


def given_options(ctx: click.Context, without: Collection[str]) -> list[str]:
    """Return the options of the command line as it was given, but for those ``without``, by their names."""
    arguments = list(ctx.find_root().meta.get(_ARGUMENTS, ()))[1:]
    values, _, params = ctx.command.make_parser(ctx).parse_args(arguments)
    words = []
    for option in dict.fromkeys(params):
        if isinstance(option, click.Option) and option.name not in without:
            value = values[option.name]
            names = option.secondary_opts if value is False else option.opts
            words += [max(names, key=len)] if option.is_flag else [max(names, key=len), value]
    return words


def _fail(text: str, code: int, kind: str = "error: ") -> NoReturn:
    click.echo(f"kmosaic: {kind}{_one_line(text)}", err=True)
    sys.exit(code)


def _usage_text(error: click.ClickException) -> str:
    text = error.format_message().rstrip(".")
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"{text}; see {error.ctx.command_path} -h"
    return text


def _one_line(text: str) -> str:
    return UNPRINTABLE.sub("\ufffd", " ".join(text.split()))


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """A warning as one line, without the file and line it came from."""
    click.echo(f"kmosaic: warning: {_one_line(str(message))}", err=True)


def _open_closed_streams() -> None:
    """Give a process started with closed streams (``>&-``) somewhere to write to."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 (for the process's life)


def _check_address_space() -> None:
    """Where addresses are limited (``ulimit -v``), give BLAS one thread, or refuse what cannot do.

    BLAS's threads take hundreds of megabytes of addresses for stacks and buffers; where there are none left,
    OpenBLAS hangs as it is loaded, or sends the process Ctrl-C.
    """
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY:
        return
    if limit < _MIN_ADDRESSES:
        raise MemoryError(
            f"the limit on addresses, ulimit -v, is {limit >> 20} MiB; raise it to 1 GiB or more"
        )
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def _forget_stdout() -> None:
    """Do as Python's documentation advises: the flush at exit must not fail a second time."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
