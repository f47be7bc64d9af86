"""The sidecar of a map that GDAL and QGIS read: category names and an attribute table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

# Types and usages by their numbers in GDAL's data model: GDALRATFieldType and GDALRATFieldUsage.
_TYPES = {"Integer": "0", "Real": "1", "String": "2"}
_USAGES = {
    "Generic": "0",
    "PixelCount": "1",
    "Name": "2",
    "MinMax": "5",
    "Red": "6",
    "Green": "7",
    "Blue": "8",
}
_MAX_INTEGER = (1 << 31) - 1


@dataclass(frozen=True)
class Column:
    """A column of the table: its name, what GDAL is to use it for, and a cell a class."""

    name: str
    usage: str
    cells: Sequence[Any]

    @property
    def type(self) -> str:
        """GDAL's name of the cells' type."""
        if all(isinstance(cell, str) for cell in self.cells):
            return "String"
        whole = all(isinstance(cell, int) and cell <= _MAX_INTEGER for cell in self.cells)
        return "Integer" if whole else "Real"


def sidecar(
    values: Sequence[int], names: Sequence[str], colours: NDArray[np.uint8], columns: Sequence[Column]
) -> bytes:
    """Return the ``.aux.xml`` of a map: category names, and a table of each class's value, name and colour.

    ``columns`` come after these. The format is that of GDAL's Persistent Auxiliary Metadata.
    """
    root = ElementTree.Element("PAMDataset")
    band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    categories = ElementTree.SubElement(band, "CategoryNames")
    of_value = dict(zip(values, names, strict=True))
    for value in range(max(values, default=-1) + 1):
        ElementTree.SubElement(categories, "Category").text = of_value.get(value, "missing")
    table = ElementTree.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    legend = [Column("Value", "MinMax", values), Column("Class", "Name", names)]
    for index, usage in enumerate(("Red", "Green", "Blue")):
        legend.append(Column(usage, usage, [int(colour[index]) for colour in colours]))
    _fill(table, [*legend, *columns])
    ElementTree.indent(root)
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=False)) + b"\n"


def _fill(table: ElementTree.Element, columns: Sequence[Column]) -> None:
    for index, column in enumerate(columns):
        field = ElementTree.SubElement(table, "FieldDefn", index=str(index))
        ElementTree.SubElement(field, "Name").text = column.name
        ElementTree.SubElement(field, "Type", typeAsString=column.type).text = _TYPES[column.type]
        ElementTree.SubElement(field, "Usage", usageAsString=column.usage).text = _USAGES[column.usage]
    for index, cells in enumerate(zip(*(column.cells for column in columns), strict=True)):
        row = ElementTree.SubElement(table, "Row", index=str(index))
        for cell in cells:
            ElementTree.SubElement(row, "F").text = str(cell)
