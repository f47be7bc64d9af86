"""Reading files of unknown size, and writing them so that a reader never sees half of one."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kmosaic.errors import DataError, OutputError


def read_at_most(path: Path, limit: int) -> bytes:
    """Return what is in a file, or the ``limit`` + 1 bytes it begins with.

    Raises OSError when it cannot be read, or is no plain file: a named pipe would block.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a plain file")
    with path.open("rb") as stream:
        # A read takes the memory it is allowed at once, however short the file is.
        size = max(os.fstat(stream.fileno()).st_size, 1 << 16)
        return stream.read(min(limit, size) + 1)


def read_text(path: Path, limit: int, remedy: str) -> str:
    """Return the text of a UTF-8 file of at most ``limit`` bytes; messages end with ``remedy``.

    Raises DataError when it cannot be read, is too large, or is not UTF-8.
    """
    try:
        data = read_at_most(path, limit)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {remedy}") from error
    if len(data) > limit:
        raise DataError(f"{path}: more than {limit:,} bytes, too large; {remedy}")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not text in UTF-8 ({error}); {remedy}") from error


def check_output(path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Check before any work is done that ``path`` can be written.

    Raises OutputError when the file exists and ``overwrite`` is false, or its folder is missing, or not
    writable.
    """
    target = Path(path)
    try:
        _check_target(target, overwrite=overwrite)
    except (ValueError, OSError) as error:
        if isinstance(error, OutputError):
            raise
        reason = error.strerror if isinstance(error, OSError) else error
        raise OutputError(f"{str(target)[:80]!r} cannot be written: {reason}") from error
    _check_writable(target.parent)
    return target


def check_outputs(
    paths: Iterable[str | os.PathLike[str] | None], *, overwrite: bool, read: Collection[str] = ()
) -> None:
    """Check that every file named can be written, that no two are the same, and that none is read from.

    ``read`` are the real paths of the files that are.

    Raises OutputError for the first that is not so.
    """
    targets: set[str] = set()
    for path in paths:
        if path is None:
            continue
        target = os.path.realpath(check_output(path, overwrite=overwrite))
        check_not_read([path], read)
        if target in targets:
            raise OutputError(f"{path} is named for two outputs; give each its own name")
        targets.add(target)


def check_not_read(paths: Iterable[str | os.PathLike[str]], read: Collection[str]) -> None:
    """Check that no output is among the files that are ``read``, given by their real paths.

    Raises OutputError for the first that is.
    """
    for path in paths:
        if os.path.realpath(path) in read:
            raise OutputError(f"{path} is read from, and would be overwritten; give another name")


def check_suffix(path: str | os.PathLike[str], suffixes: tuple[str, ...]) -> None:
    """Check that the name of an output ends in one of the suffixes, which decide its format.

    Raises OutputError when it does not.
    """
    if Path(path).suffix.lower() not in suffixes:
        known = f"{', '.join(suffixes[:-1])} or {suffixes[-1]}"
        raise OutputError(f"{path} must end in {known}, which decides the format")


def _check_target(target: Path, *, overwrite: bool) -> None:
    if target.is_dir():
        raise OutputError(f"{target} is a folder; name a file to write")
    if target.is_symlink():
        raise OutputError(f"{target} is a link; name the file it leads to")
    if target.exists() and not target.is_file():
        raise OutputError(f"{target} is not a plain file; name one to write")
    if target.exists() and not overwrite:
        raise OutputError(f"{target} exists; choose another name, or overwrite it (--force, overwrite=True)")
    if not target.parent.is_dir():
        raise OutputError(f"{target.parent} is not a folder; make it first, or write elsewhere")


def _check_writable(folder: Path) -> None:
    try:  # a folder's permissions do not decide: try to create a file
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(f"{folder} is not writable ({error.strerror}); write elsewhere") from error


@contextmanager
def _blaming(path: Path) -> Iterator[None]:
    """Turn an error of the system into an OutputError that names ``path``."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be written: {error.strerror or error}") from error


@contextmanager
def atomic_write(path: str | os.PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; rename it there on success, remove it on any failure.

    Raises OutputError as ``check_output``, and when writing fails (a full disk, for example).

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_write(folder / "a.txt") as temporary:
    ...     _ = temporary.write_text("whole or not at all")
    >>> (folder / "a.txt").read_text()
    'whole or not at all'
    """
    target = check_output(path, overwrite=overwrite)
    with _blaming(target):
        descriptor, name = tempfile.mkstemp(prefix=".kmosaic-", suffix=target.suffix, dir=target.parent)
    os.close(descriptor)
    temporary = Path(name)
    try:
        with _blaming(target):
            yield temporary
            temporary.chmod(0o666 & ~_umask())
            temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def check_folder(folder: Path, is_ours: Callable[[Path], bool], *, overwrite: bool) -> None:
    """Check before any work is done that ``folder`` can be made, or replaced where it ``is_ours``.

    Raises OutputError where it is a file or a link, or has anything of somebody else's in it, or, unless
    ``overwrite``, anything at all; or where its parent cannot be written.
    """
    if folder.name in ("", ".."):
        raise OutputError(f"{folder} cannot be made or replaced; name a folder that can be")
    if not os.path.lexists(folder):
        check_output(folder)  # making it is putting an entry into its parent
        return
    if folder.is_symlink() or not folder.is_dir():
        raise OutputError(f"{folder} is no folder; name one to make")
    try:
        files = list(folder.iterdir())
        ours = not files or is_ours(folder)
    except OSError as error:
        raise OutputError(f"{folder} cannot be read: {error.strerror}; name another") from error
    if not ours:
        raise OutputError(f"{folder} has files of other origin in it; name a folder that is not there yet")
    if files and not overwrite:
        raise OutputError(f"{folder} exists; choose another name, or overwrite it (--force, overwrite=True)")
    _check_writable(folder.parent)


@contextmanager
def atomic_folder(folder: Path, is_ours: Callable[[Path], bool], *, overwrite: bool) -> Iterator[Path]:
    """Yield a temporary folder beside ``folder``; give it that name on success, remove it on any failure.

    Raises OutputError as ``check_folder``, and when writing fails.
    """
    check_folder(folder, is_ours, overwrite=overwrite)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=".kmosaic-", dir=folder.parent))
    except OSError as error:
        raise OutputError(f"{folder} cannot be made: {error.strerror}") from error
    made, before = temporary / "made", temporary / "before"
    try:
        with _blaming(folder):
            made.mkdir()
            yield made
            check_folder(folder, is_ours, overwrite=overwrite)
            if folder.exists():
                folder.replace(before)
            made.replace(folder)
    finally:
        if before.exists() and not folder.exists():
            before.replace(folder)
        shutil.rmtree(temporary, ignore_errors=True)


def _umask() -> int:
    """The process's file mode mask; ``os.umask`` can only be read by setting it."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask
