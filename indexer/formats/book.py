"""Read EPUB: its chapters in reading order."""

from __future__ import annotations

import posixpath
import zipfile
from urllib.parse import unquote
from xml.etree import ElementTree

from indexer.errors import DocumentError
from indexer.formats.archive import open_archive
from indexer.formats.extracted import Extracted, one_line
from indexer.formats.web import markdown

_PACKAGE = "{http://www.idpf.org/2007/opf}"
_TITLE = "{http://purl.org/dc/elements/1.1/}title"
_CONTAINER = "META-INF/container.xml"


def read(content: bytes) -> Extracted:
    with open_archive(content) as archive:
        path = _package_path(archive)
        package = _parse(archive, path)
        chapters = [markdown(archive.read(name)) for name in _spine(package, path)]
    title = one_line(package.findtext(f".//{_TITLE}"))
    return Extracted(title, "\n\n".join(chapters))


def _package_path(archive: zipfile.ZipFile) -> str:
    if "META-INF/rights.xml" in archive.namelist():
        raise DocumentError("it is protected against copying (DRM); use an unprotected copy.")
    for element in _parse(archive, _CONTAINER).iter():
        if element.tag.endswith("}rootfile"):
            return element.get("full-path", "")
    raise ValueError("no package document")


def _spine(package: ElementTree.Element, path: str) -> list[str]:
    """Names in the archive of the chapters, in order."""
    items = {item.get("id"): item for item in package.iter(f"{_PACKAGE}item")}
    order = (items[ref.get("idref")] for ref in package.iter(f"{_PACKAGE}itemref"))
    return [
        posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(item.get("href", ""))))
        for item in order
        if "html" in item.get("media-type", "")
    ]


def _parse(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    # expat refuses entities that grow without bound and never fetches external ones.
    return ElementTree.fromstring(archive.read(name))  # noqa: S314
