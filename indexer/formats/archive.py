"""Open the zip archives of Office files and EPUB books, unless encrypted or too large."""

from __future__ import annotations

import io
import resource
import zipfile

from indexer.errors import DocumentError

_OLD_OFFICE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""Both an encrypted new file and an unencrypted old one are such a container."""


def open_archive(content: bytes) -> zipfile.ZipFile:
    """Raises DocumentError for an archive that is encrypted or unpacks to more than RLIMIT_AS."""
    if content.startswith(_OLD_OFFICE):
        raise DocumentError(
            "it is encrypted, or of an old binary format; save it in today's format "
            "without a password."
        )
    archive = zipfile.ZipFile(io.BytesIO(content))
    if any(entry.flag_bits & 1 for entry in archive.infolist()):
        raise DocumentError("it is encrypted; save it without a password.")
    most, _ = resource.getrlimit(resource.RLIMIT_AS)
    unpacked = sum(entry.file_size for entry in archive.infolist())
    if 0 < most < unpacked:
        raise DocumentError(
            f"it unpacks to {unpacked // 2**20:,} MB; remove pictures or split it "
            "(or raise [extraction] memory_megabytes)."
        )
    return archive
