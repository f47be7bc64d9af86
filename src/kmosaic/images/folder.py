"""A folder of image files as one collection: headers first, then pixels straight into one array."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kmosaic.errors import DataError
from kmosaic.images.collection import Converted, ImageCollection, Progress, ReadOptions, SkippedFile
from kmosaic.images.decode import (
    ImageHeader,
    PixelForm,
    UnusableImageError,
    decode,
    pillow_warnings,
    read_header,
)
from kmosaic.images.formats import FORMATS_IN_WORDS
from kmosaic.images.listing import FoundFile, list_folder, path_key
from kmosaic.images.memory_check import check_memory
from kmosaic.images.reading import read_files
from kmosaic.images.resize import padded_size
from kmosaic.images.thumbnails import FilePixels, thumbnail_size
from kmosaic.models.image_model import ImageFormat
from kmosaic.text import count, printable

# So many headers tell what form the thumbnails of files that are known by name are to have.
_SAMPLED_HEADERS = 256
_NAMED_IN_MESSAGES = 3
# Shares of a side; below that, margins differ by rounding, or cameras by a row or two.
_UNLIKE_MARGINS = 0.05


@dataclass(frozen=True, slots=True)
class _Image:
    file: FoundFile
    header: ImageHeader


@dataclass(frozen=True)
class _Survey:
    """What the headers say: the images, and the files that are none."""

    images: tuple[_Image, ...]
    skipped: tuple[SkippedFile, ...]


@dataclass(frozen=True, eq=False)
class _Decoded:
    pixels: NDArray[Any]
    kept: tuple[FoundFile, ...]
    skipped: tuple[SkippedFile, ...]


@pillow_warnings()
def read_folder(
    folder: Path, options: ReadOptions, progress: Progress | None = None, *, for_model: bool = False
) -> ImageCollection:
    """All images in ``folder`` and below, in natural order of their paths.

    Where images lie in sub-folders, the first sub-folder's name is the label, unless ``options.labels_from``
    is "none". Images beside labelled ones
    have no label: an error, or, ``for_model``, no labels at all. With no ``options.size``, all images must be
    of one size. Grey images become uint16 if any of them has 16 bits, else uint8; colour is uint8. Files that
    cannot be used are listed in ``skipped``, or with ``options.strict`` an error. Padding images of unlike
    proportions is a UserWarning, save ``for_model``, whose policy is settled.

    Raises DataError when there is no usable image, sizes differ and none is given, labels are mixed, or
    memory is short.
    """
    listing = list_folder(folder)
    survey = _survey(listing.files, progress)
    skipped = [*listing.skipped, *survey.skipped]
    where = printable(str(folder))
    _check_survey(where, survey, skipped, options)
    files = [image.file for image in survey.images]
    labelled = options.labels_from == "folders" and _are_labelled(where, files, for_model)
    form = _choose_form(survey.images, options)
    # A labelled collection is copied once more when a test set is held out.
    copies = 2 if labelled and options.test_fraction > 0 else 1
    decoded = _decode_all(survey.images, form, copies, progress)
    skipped += decoded.skipped
    if not decoded.kept or (options.strict and skipped):
        raise DataError(_unusable(where, skipped, strict=bool(decoded.kept)))
    kept = set(decoded.kept)
    headers = [image.header for image in survey.images if image.file in kept]
    if not for_model:
        _warn_of_margins(headers, form)
    collection = _collection(folder, decoded, form, labelled, skipped)
    return replace(collection, converted=_converted(headers, form))


@pillow_warnings()
def folder_pictures(
    folder: Path,
    options: ReadOptions,
    progress: Progress | None = None,
    files: Sequence[FoundFile] | None = None,
    side: int | None = None,
) -> ImageCollection:
    """The images in ``folder`` and below, in the order of :func:`read_folder`, or those of ``files``.

    Their pixels are thumbnails, decoded when they are asked for, of ``options.size`` or at most 64 pixels a
    side; with ``side``, of at most so many, in proportion to ``options.size``. Where not every image lies in
    a sub-folder, there are no labels.

    Raises DataError when there is no usable image, or, with ``options.strict``, one that is not.
    """
    skipped: list[SkippedFile] = []
    if files is None:
        listing = list_folder(folder)
        survey = _survey(listing.files, progress)
        skipped = [*listing.skipped, *survey.skipped]
        _check_survey(printable(str(folder)), survey, skipped, options)
        files = [image.file for image in survey.images]
        headers = [image.header for image in survey.images]
    else:
        headers = _some_headers(files)
    labelled = options.labels_from == "folders" and _are_labelled(str(folder), files, True)
    channels = {"auto": 3 if any(header.colour for header in headers) else 1, "grey": 1, "rgb": 3}
    sizes = [(header.height, header.width) for header in headers]
    size = thumbnail_size(sizes, side, options.size) if side else options.size or thumbnail_size(sizes)
    form = PixelForm(size, options.fit, channels[options.mode], "uint8")
    pixels = cast(NDArray[Any], FilePixels(files, form, {}))
    return _collection(folder, _Decoded(pixels, tuple(files), ()), form, labelled, skipped)


def _some_headers(files: Sequence[FoundFile]) -> list[ImageHeader]:
    """Of some of the files, at equal steps, what their headers say; those that are no images are passed
    over."""
    headers = []
    for file in files[:: -(-len(files) // _SAMPLED_HEADERS)]:
        try:
            headers.append(read_header(file.path))
        except UnusableImageError:
            continue
    if not headers:
        raise DataError(f"{files[0].id} and others are no images; name a folder of {FORMATS_IN_WORDS} images")
    return headers


@pillow_warnings()
def read_image_file(path: Path, options: ReadOptions) -> ImageCollection:
    """One image file as a collection of one, without a label. Raises DataError when it cannot be used."""
    file = FoundFile(str(path), printable(path.name), None)
    try:
        image = _Image(file, read_header(path))
        form = _choose_form((image,), options)
        pixels = decode(path, form)[np.newaxis]
    except UnusableImageError as error:
        raise DataError(f"{printable(str(path))} is no usable image: {error}") from error
    collection = _collection(path, _Decoded(pixels, (file,), ()), form, False, [])
    return replace(collection, converted=_converted([image.header], form))


def _survey(files: Sequence[FoundFile], progress: Progress | None) -> _Survey:
    images, skipped = [], []
    known: dict[ImageHeader, ImageHeader] = {}  # most are alike, and kept once
    for done, (file, read) in enumerate(zip(files, read_files("header", files), strict=True), start=1):
        if read.header is not None:
            images.append(_Image(file, known.setdefault(read.header, read.header)))
        else:
            skipped.append(SkippedFile(file.id, read.reason))
        if progress is not None:
            progress(done, len(files), "looking at files")
    return _Survey(tuple(images), tuple(skipped))


def _check_survey(where: str, survey: _Survey, skipped: Sequence[SkippedFile], options: ReadOptions) -> None:
    if not survey.images and not skipped:
        raise DataError(f"{where} is an empty folder; name one with {FORMATS_IN_WORDS} images")
    if options.strict and skipped:
        skipped = [*skipped, *_undecodable(survey.images)]
    if not survey.images or (options.strict and skipped):
        raise DataError(_unusable(where, skipped, strict=bool(survey.images)))


def _undecodable(images: Sequence[_Image]) -> list[SkippedFile]:
    """Those of which the header alone is whole, so that an error names them with the others."""
    tiny = PixelForm((1, 1), "stretch", 1, "uint8")

    found = zip(images, read_files("whole", [image.file for image in images], tiny), strict=True)
    return [SkippedFile(image.file.id, read.reason) for image, read in found if read.reason]


def _unusable(where: str, skipped: Sequence[SkippedFile], *, strict: bool) -> str:
    named = "; ".join(f"{file.path} ({file.reason})" for file in skipped[:_NAMED_IN_MESSAGES])
    left = len(skipped) - _NAMED_IN_MESSAGES
    named += f"; and {left:,} more" if left > 0 else ""
    files = count(len(skipped), "file")
    if strict:
        return (
            f"{where} has {files} that cannot be used: {named}; remove what is listed, "
            "or read without --strict (strict=False in Python)"
        )
    return f"{where} has no usable image, but {files} that cannot be used: {named}"


def _are_labelled(where: str, files: Sequence[FoundFile], lenient: bool) -> bool:
    bare = [file.id for file in files if file.label is None]
    if not bare or len(bare) == len(files) or lenient:
        return not bare
    folders = len({file.label for file in files} - {None})
    raise DataError(
        f"{where} has {count(len(bare), 'image')} beside its {count(folders, 'sub-folder')} of images "
        f"(first: {bare[0]}); sub-folders are labels, so move these images into one, "
        "or read all without labels (--labels-from none; labels_from='none' in Python)"
    )


def _choose_form(images: Sequence[_Image], options: ReadOptions) -> PixelForm:
    colour = any(image.header.colour for image in images)
    channels = {"auto": 3 if colour else 1, "grey": 1, "rgb": 3}[options.mode]
    deep = channels == 1 and any(image.header.deep for image in images)
    size = options.size or _common_size([image.header for image in images])
    return PixelForm(size, options.fit, channels, "uint16" if deep else "uint8")


def _warn_of_margins(headers: Sequence[ImageHeader], form: PixelForm) -> None:
    """Margins of unlike width are what differs most between padded images of unlike proportions."""
    if form.fit != "pad":
        return
    height, width = form.size
    boxes = {padded_size((header.width, header.height), (width, height)) for header in headers}
    widths, heights = [box[0] / width for box in boxes], [box[1] / height for box in boxes]
    if max(max(widths) - min(widths), max(heights) - min(heights)) > _UNLIKE_MARGINS:
        warnings.warn(
            f"the images have {len(boxes):,} proportions; black margins may decide the groups: use "
            '--fit crop or --fit stretch (in Python, ReadOptions(fit="crop"))',
            stacklevel=2,
        )


def _common_size(headers: Sequence[ImageHeader]) -> tuple[int, int]:
    sizes = Counter((header.height, header.width) for header in headers)
    if len(sizes) > 1:
        raise DataError(
            f"the images differ in size (width x height): {_sizes_in_words(sizes)}; give one size "
            "(--size 64x64 on the command line, ReadOptions(size=(64, 64)) in Python), and how to fit them "
            "to it: pad, crop or stretch"
        )
    return next(iter(sizes))


def _sizes_in_words(sizes: Counter[tuple[int, int]]) -> str:
    named = ", ".join(f"{w} x {h} ({n:,})" for (h, w), n in sizes.most_common(_NAMED_IN_MESSAGES))
    left = len(sizes) - _NAMED_IN_MESSAGES
    return f"{named} and {count(left, 'other size')}" if left > 0 else named


def _converted(headers: Sequence[ImageHeader], form: PixelForm) -> Converted:
    sizes = Counter((header.height, header.width) for header in headers)
    sizes.pop(form.size, None)
    n_greyed = sum(header.colour for header in headers) if form.channels == 1 else 0
    return Converted(sizes.total(), n_greyed, _sizes_in_words(sizes))


def _decode_all(
    images: Sequence[_Image], form: PixelForm, copies: int, progress: Progress | None
) -> _Decoded:
    n_bytes = len(images) * form.n_features * np.dtype(form.dtype).itemsize
    height, width = form.size
    what = f"{count(len(images), 'image')} of {width} x {height} x {form.channels} ({form.dtype})"
    check_memory(n_bytes * copies, what, "choose a smaller size, grey, or fewer images")
    pixels = np.empty((len(images), form.n_features), form.dtype)

    kept: list[FoundFile] = []
    skipped = []
    files = [image.file for image in images]
    for done, (file, read) in enumerate(zip(files, read_files("whole", files, form), strict=True), start=1):
        if read.values is None:
            skipped.append(SkippedFile(file.id, read.reason))
        else:  # rows left over at the end are never touched
            pixels[len(kept)] = read.values
            kept.append(file)
        if progress is not None:
            progress(done, len(files), "reading images")
    return _Decoded(pixels[: len(kept)], tuple(kept), tuple(skipped))


def _collection(
    place: Path, decoded: _Decoded, form: PixelForm, labelled: bool, skipped: Sequence[SkippedFile]
) -> ImageCollection:
    height, width = form.size
    label_names, labels = None, None
    if labelled:
        names = {file.label for file in decoded.kept if file.label is not None}
        label_names = tuple(sorted(names, key=path_key))
        codes = {name: code for code, name in enumerate(label_names)}
        labels = np.array([codes[file.label] for file in decoded.kept if file.label is not None], np.int64)
    source = f"{count(len(decoded.kept), 'image')} from {printable(str(place))}"
    return ImageCollection(
        name=printable(place.resolve().name),
        pixels=decoded.pixels,
        format=ImageFormat(height, width, form.channels, form.dtype, form.max_value, form.fit),
        labels=labels,
        label_names=label_names,
        ids=tuple(file.id for file in decoded.kept),
        source=f"{source}, {len(skipped):,} skipped" if skipped else source,
        skipped=tuple(sorted(skipped, key=lambda file: path_key(file.path))),
    )
