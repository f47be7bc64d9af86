"""The files that a raster is read from: regular files, no outputs, and remote ones only on request."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from kmosaic.errors import DataError
from kmosaic.files import read_at_most
from kmosaic.models.validation import printable_text

# What GDAL reads over the network: URLs, virtual file systems, services by prefix or described in XML.
_REMOTE = re.compile(
    r"://|/vsi(curl|s3|gs|az|adls|oss|swift|hdfs|webhdfs)|^\s*<"
    r"|^(WMS|WCS|WMTS|TMS|EEDAI?|STACIT|STACTA|OGCAPI|DAAS|PLMosaic|NGW|IIP|HTTP):",
    re.IGNORECASE,
)
# What names other files in XML that GDAL reads as rasters, by the root's tag; and roots that mean services.
_NAMING = {
    "VRTDataset": frozenset(("SourceFilename", "SourceDataset")),
    "MRF_META": frozenset(("Source", "DataFile", "IndexFile", "ZenFile")),
}
_SERVICES = frozenset(
    (
        *("GDAL_WMS", "WMS_Tile_Service", "WMT_MS_Capabilities", "WMS_Capabilities", "TiledPatterns"),
        *("TileMap", "TileMapService", "Services", "WCS_GDAL", "GDAL_WMTS", "Capabilities"),
    )
)
_MAX_BYTES = 64 << 20
_START = 1024
_SCHEME = r"^(?:zip|tar|gzip)(?:\+[a-z0-9]+)?://"  # rasterio's names for members of archives, after "!"
_ARCHIVE = re.compile(rf"/vsi(?:zip|tar|gzip)/|{_SCHEME}", re.IGNORECASE)
_VIRTUAL = re.compile(rf"vrt://|(/vsi[a-z0-9_]+/)+|{_SCHEME}", re.IGNORECASE)
_SEPARATOR = re.compile("[:,?&=!]")
FilePath = str | os.PathLike[str]


def is_remote(path: str) -> bool:
    """Whether GDAL would ask the network for this name."""
    return _REMOTE.search(path) is not None


def check_sources(name: str, *, network: bool) -> None:
    """Look through a raster, and those that virtual ones name, before GDAL opens any of them.

    ``dataset.files`` would come too late: a warped virtual raster opens its sources at once, any raster the
    files beside it that begin with its name, and of nested ones only the outer level is listed.

    Raises DataError where one is no regular file; is on the network, unless ``network``; or is too large or
    too damaged to be looked through.
    """
    special: dict[str, list[str]] = {}  # by folder
    for source, naming in _taken_in([name], _sources):
        if naming and not network and is_remote(source):
            raise DataError(
                f"{naming} takes in {source[:200]!r} over the network; where that is meant, allow it "
                "(network=True)"
            )
        refuse_special(source, naming)
        for file in _files_named(source, os.path.dirname(naming)):
            if in_archives := _ARCHIVE.findall(source):
                if len(in_archives) > 1:
                    raise DataError(f"{file} is to be read as an archive in an archive; unpack the outer one")
                _refuse_descriptions_in(file)
            folder, own = os.path.split(file)
            if folder not in special:
                special[folder] = [
                    other for other in _listed(folder) if _special(os.path.join(folder, other))
                ]
            for other in special[folder]:
                if other.casefold().startswith(os.path.splitext(own)[0].casefold()):
                    refuse_special(other, file)


def _refuse_descriptions_in(archive: str) -> None:
    """Refuse an archive that holds a virtual raster: what that takes in cannot be looked through.

    Raises DataError.
    """
    try:
        members = list(_members(archive))
    except (
        OSError,
        EOFError,
        ValueError,
        RuntimeError,
        zlib.error,
        tarfile.TarError,
        zipfile.BadZipFile,
    ) as error:
        raise DataError(
            f"{archive} cannot be looked through ({error}); unpack it and name the raster itself"
        ) from error
    for name, start in members:
        if any(f"<{tag}".encode() in start for tag in _NAMING):
            raise DataError(
                f"{archive} holds a virtual raster, {printable_text(name)[:200]}, which may name anything; "
                "unpack it and name that"
            )


def _members(archive: str) -> Iterator[tuple[str, bytes]]:
    """The name and the first bytes of each file in an archive."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for name in zipped.namelist():
                with zipped.open(name) as stream:
                    yield name, stream.read(_START)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as packed:
            for member in filter(tarfile.TarInfo.isfile, packed):
                content = packed.extractfile(member)
                yield member.name, content.read(_START) if content else b""
    else:
        with gzip.open(archive) as single:
            yield os.path.basename(archive), single.read(_START)


def refuse_special(name: str, naming: str = "") -> None:
    """Refuse what GDAL would wait for and cannot read twice, named by itself or by the file ``naming``.

    Raises DataError for a named pipe, a socket, a device, and standard input.
    """
    kinds = [kind for path in _paths_named(name, os.path.dirname(naming)) if (kind := _special(path))]
    if "/vsistdin" in name.lower():
        kinds.append("standard input")
    if kinds:
        shown = printable_text(name)[:200]
        what = f"{naming} takes in {shown!r}, which" if naming else shown
        raise DataError(
            f"{what} is no regular file but {kinds[0]}; write its content to a file and name that"
        )


def files_read(names: Iterable[FilePath]) -> frozenset[str]:
    """Return the files that rasters are read from: real paths of those named, and of those they take in.

    Virtual rasters that take in others are followed, whatever the depth; archives are files, too.
    """
    given = [os.fspath(name) for name in names if "\0" not in os.fspath(name)]
    files = set(map(os.path.realpath, given))
    for source, naming in _taken_in(given, _sources_if_sound):
        files.update(map(os.path.realpath, _files_named(source, os.path.dirname(naming))))
    return frozenset(files)


class FileStates:
    """Files as they were: a scene is read again and again, and has to be the same each time."""

    def __init__(self, files: Iterable[str] = ()) -> None:
        self._before = {file: state for file in files if (state := _state(file))}

    def check(self) -> None:
        """Refuse files that are not what they were; those that did not exist are ignored.

        Raises DataError for the first that is another file, or whose size or time of modification changed.
        """
        for file, before in self._before.items():
            if _state(file) != before:
                shown = printable_text(file)
                raise DataError(f"{shown} changed while it was read; start again once it is complete")


def _state(file: str) -> tuple[int, ...] | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _taken_in(names: Iterable[str], sources: Callable[[str], Iterable[str]]) -> Iterator[tuple[str, str]]:
    """The names themselves, and all that they take in, each with the file that names it."""
    waiting = [(name, "") for name in names]
    visited: set[str] = set()
    while waiting:
        source, naming = waiting.pop()
        yield source, naming
        if _is_description(source):
            waiting += [(inner, naming) for inner in sources(source)]
        for file in _files_named(source, os.path.dirname(naming)):
            if os.path.realpath(file) not in visited:
                visited.add(os.path.realpath(file))
                waiting += [(inner, file) for inner in (sources(file) if _is_xml(file) else ())]


def _files_named(name: str, folder: str) -> Iterator[str]:
    return filter(os.path.isfile, _paths_named(name, folder))


def _paths_named(name: str, folder: str) -> Iterator[str]:
    """Which paths there are that a name may mean to GDAL: in ``folder`` or the working folder, as the file
    itself, the archive it is in, or the file of which it is a part, such as NETCDF:FILE:VARIABLE."""
    plain = _VIRTUAL.sub("", name)
    if plain != name:
        plain = plain.translate({ord("{"): None, ord("}"): None})  # round the archive's name
    for part in dict.fromkeys((plain, *_SEPARATOR.split(plain))):
        for base in dict.fromkeys((folder, "")):
            path = os.path.join(base, part.strip('"'))
            while path and not os.path.lexists(path) and os.path.dirname(path) != path:
                path = os.path.dirname(path)
            if path:
                yield path


def _listed(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")
    except OSError:
        return []


def _special(path: str) -> str:
    """What a path is, where it is neither a regular file nor a folder, nor missing."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return ""
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFREG: "", stat.S_IFDIR: ""}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _is_description(name: str) -> bool:
    return name.lstrip().startswith("<")


def _is_xml(path: str) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    except (OSError, ValueError):
        return False


def _sources_if_sound(path: str) -> Iterator[str]:
    """No sources where they cannot be read: opening the file reports the error."""
    with contextlib.suppress(DataError, OSError):
        yield from _sources(path)


def _sources(path: str) -> Iterator[str]:
    """What is named in an XML file, or in a description that stands in the place of a file's name."""
    content = path.encode() if _is_description(path) else read_at_most(Path(path), _MAX_BYTES)
    if len(content) > _MAX_BYTES:
        raise DataError(f"{path} is a description of more than {_MAX_BYTES >> 20} MiB; build a smaller one")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError) as error:
        raise DataError(f"{path} is no proper XML ({error})") from error
    tag = root.tag.rpartition("}")[2]
    if tag in _SERVICES:
        yield f"<{tag}>"
    for element in root.iter():
        if element.tag in _NAMING.get(tag, ()) and element.text:
            yield element.text.strip()
