"""Names of the parts of a workbook (ECMA-376 part 2, 6.2): backslashes, other letters' case, another workbook part.

Programs on .NET write ``xl\\worksheets\\sheet1.xml``, SharePoint names the workbook ``xl/workbook2.xml``. Excel opens
both; they are renamed to what Excel itself writes.
"""

from __future__ import annotations

import io
import posixpath
import re
import zipfile
from typing import Final

WORKBOOK: Final = "xl/workbook.xml"
_RELATIONSHIPS: Final = "_rels/.rels"
_CONTENT_TYPES: Final = "[Content_Types].xml"
_MOST_BYTES: Final = 1 << 20  # of the package's relationships, which are a few lines
_RELATIONSHIP: Final = re.compile(rb"<(?:\w+:)?Relationship\b[^>]*>")
_TARGET: Final = re.compile(rb"\bTarget\s*=\s*[\"']([^\"']+)[\"']")
_MAIN_PART: Final = re.compile(rb"\bType\s*=\s*[\"'][^\"']*/officeDocument[\"']")


def usual_names(archive: zipfile.ZipFile) -> dict[str, str]:
    """The name of each part as Excel writes it, by its name in the archive. Raises what zipfile raises."""
    plain = {part.filename: _plain(part.filename) for part in archive.infolist()}
    workbook = _workbook(archive, plain)
    if workbook is None or workbook == WORKBOOK or posixpath.dirname(workbook) != posixpath.dirname(WORKBOOK):
        return plain
    relationships = f"xl/_rels/{posixpath.basename(workbook)}.rels"
    moved = {workbook: WORKBOOK, relationships: f"{posixpath.dirname(WORKBOOK)}/_rels/workbook.xml.rels"}
    return {name: moved.get(usual, usual) for name, usual in plain.items()}


def _plain(name: str) -> str:
    usual = name.replace("\\", "/").removeprefix("/")
    folder, _, rest = usual.partition("/")
    if folder.lower() in ("xl", "_rels", "docprops") and rest:
        usual = f"{ {'xl': 'xl', '_rels': '_rels', 'docprops': 'docProps'}[folder.lower()] }/{rest}"
    if usual.lower() == _CONTENT_TYPES.lower():
        return _CONTENT_TYPES
    return WORKBOOK if usual.lower() == WORKBOOK else usual


def _workbook(archive: zipfile.ZipFile, plain: dict[str, str]) -> str | None:
    """The part that the package's relationships name as its document, if it is there."""
    name = next((name for name, usual in plain.items() if usual.lower() == _RELATIONSHIPS), None)
    if name is None or archive.getinfo(name).file_size > _MOST_BYTES:
        return None
    for relationship in _RELATIONSHIP.findall(archive.read(name).replace(b"\0", b"")):
        target = _TARGET.search(relationship)
        if target and _MAIN_PART.search(relationship):
            wanted = _plain(posixpath.normpath(target[1].decode("utf-8", "replace").replace("\\", "/")))
            return next((usual for usual in plain.values() if usual.lower() == wanted.lower()), None)
    return None


def renamed(archive: zipfile.ZipFile, names: dict[str, str]) -> bytes:
    """The same workbook under the usual names, in relationships and content types as well."""
    moved = {usual: name for name, usual in names.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as fresh:
        for usual, name in moved.items():
            data = archive.read(name)
            if usual.lower() == _RELATIONSHIPS:
                data = _RELATIONSHIP.sub(_to_workbook, data)
            elif usual == _CONTENT_TYPES:
                data = re.sub(rb"(PartName\s*=\s*[\"'])/?xl[/\\]workbook[^\"'/\\]*\.xml", rb"\1/xl/workbook.xml", data)
                data = data.replace(b"\\", b"/")
            elif usual.lower().endswith(".rels"):
                data = _TARGET.sub(lambda target: target[0].replace(b"\\", b"/"), data)
            fresh.writestr(zipfile.ZipInfo(usual), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def _to_workbook(relationship: re.Match[bytes]) -> bytes:
    if not _MAIN_PART.search(relationship[0]):
        return relationship[0].replace(b"\\", b"/")
    return _TARGET.sub(b'Target="xl/workbook.xml"', relationship[0])
