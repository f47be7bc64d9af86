"""Which other files a raster file takes in: that none is on the network unasked, and none overwritten."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from xml.etree import ElementTree

from kmosaic.errors import DataError
from kmosaic.files import read_at_most

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
_VIRTUAL = re.compile("(/vsi[a-z0-9_]+/)+", re.IGNORECASE)
FilePath = str | os.PathLike[str]


def is_remote(path: str) -> bool:
    """Whether GDAL would ask the network for this name."""
    return _REMOTE.search(path) is not None


def refuse_hidden_sources(path: str) -> None:
    """Look through a virtual raster, and those it names, for sources on the network.

    Raises
    ------
    DataError
        Where there is one, or a file is too large or too damaged to be looked through.
    """
    waiting, seen = [path], {os.path.realpath(path)}
    while waiting:
        file = waiting.pop()
        for source in _sources(file) if _is_xml(file) else ():
            if is_remote(source):
                raise DataError(
                    f"{file} takes in {source[:200]!r} over the network; where that is meant, allow it "
                    "(network=True)"
                )
            for found in _files_named(source, os.path.dirname(file)):
                if os.path.realpath(found) not in seen:
                    seen.add(os.path.realpath(found))
                    waiting.append(found)


def files_read(names: Iterable[FilePath]) -> frozenset[str]:
    """Return the files that rasters are read from: real paths of those named, and of those they take in.

    Virtual rasters that take in others are followed, whatever the depth; archives are files, too.
    """
    given = [os.fspath(name) for name in names if "\0" not in os.fspath(name)]
    waiting = [file for name in given for file in _files_named(name, "")]
    seen: set[str] = set()
    while waiting:
        file = waiting.pop()
        if os.path.realpath(file) in seen:
            continue
        seen.add(os.path.realpath(file))
        with contextlib.suppress(DataError, OSError):  # told when it is opened
            for source in _sources(file) if _is_xml(file) else ():
                waiting += _files_named(source, os.path.dirname(file))
    return frozenset(seen.union(map(os.path.realpath, given)))


def _files_named(name: str, folder: str) -> Iterator[str]:
    """Which files there are that a name may mean to GDAL: in ``folder`` or the working folder, as the file
    itself, the archive it is in, or the file of which it is a part, such as NETCDF:FILE:VARIABLE."""
    plain = _VIRTUAL.sub("", name)
    if plain != name:
        plain = plain.translate({ord("{"): None, ord("}"): None})  # round the archive's name
    for part in dict.fromkeys((plain, *plain.split(":"))):
        for base in dict.fromkeys((folder, "")):
            path = os.path.join(base, part.strip('"'))
            while path and not os.path.lexists(path) and os.path.dirname(path) != path:
                path = os.path.dirname(path)
            if os.path.isfile(path):
                yield path


def _is_xml(path: str) -> bool:
    try:
        return Path(path).is_file() and _first_bytes(path).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")
    except (OSError, ValueError):
        return False


def _first_bytes(path: str) -> bytes:
    with open(path, "rb") as stream:
        return stream.read(64)


def _sources(path: str) -> Iterator[str]:
    content = read_at_most(Path(path), _MAX_BYTES)
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
