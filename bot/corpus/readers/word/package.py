"""Parts of an Office file: XML files in a zip archive, tied together by relations."""

from __future__ import annotations

import io
import posixpath
import zipfile
from dataclasses import dataclass
from typing import Any

from bot.errors import ReadError

_RELATION = "{http://schemas.openxmlformats.org/package/2006/relationships}Relationship"
# Files saved as "strict" use other names for the same elements.
_STRICT = (
    (
        b"http://purl.oclc.org/ooxml/wordprocessingml/main",
        b"http://schemas.openxmlformats.org/wordprocessingml/2006/main",
    ),
    (b"http://purl.oclc.org/ooxml/drawingml/main", b"http://schemas.openxmlformats.org/drawingml/2006/main"),
    (
        b"http://purl.oclc.org/ooxml/officeDocument/relationships",
        b"http://schemas.openxmlformats.org/officeDocument/2006/relationships",
    ),
    (b"http://purl.oclc.org/ooxml/officeDocument/math", b"http://schemas.openxmlformats.org/officeDocument/2006/math"),
)


@dataclass(frozen=True, slots=True)
class Relation:
    """Where a relation of a part leads: `kind` is the last word of its type; `target` a part's name, or an address."""

    kind: str
    target: str
    external: bool


class Package:
    """An Office file that was checked (archive.check)."""

    def __init__(self, data: bytes) -> None:
        """Raises zipfile.BadZipFile if it is no archive, ReadError E-FORMAT if it holds no Office document."""
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        self._names = {name.lower(): name for name in self._archive.namelist()}
        mains = [one.target for one in self.relations("").values() if one.kind == "officeDocument"]
        if not mains or not self.has(mains[0]):
            raise ReadError("E-FORMAT", "不是 Office 文件", "not an Office file", "另存为 .docx / save it as .docx")
        self.main = mains[0]

    def has(self, name: str) -> bool:
        """Whether there is a part of this name."""
        return name.lower() in self._names

    def part(self, name: str) -> bytes:
        """The bytes of a part; b"" if there is none."""
        return self._archive.read(self._names[name.lower()]) if self.has(name) else b""

    def xml(self, name: str) -> Any:
        """The root of a part; None if there is no such part. Raises lxml.etree.XMLSyntaxError."""
        from lxml import etree  # type: ignore[import-untyped]

        data = self.part(name)
        if not data:
            return None
        if b"http://purl.oclc.org/ooxml/" in data:
            for strict, usual in _STRICT:
                data = data.replace(strict, usual)
        # Entities stay unexpanded: no part needs one, and they can name files or grow without end.
        parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
        return etree.fromstring(data, parser)

    def relations(self, name: str) -> dict[str, Relation]:
        """The relations of a part by their ids; those of the package itself for ""."""
        folder, file = posixpath.split(name)
        root = self.xml(posixpath.join(folder, "_rels", f"{file}.rels"))
        found = {}
        for one in root.iter(_RELATION) if root is not None else ():
            external = one.get("TargetMode") == "External"
            target = one.get("Target", "")
            if not external:
                target = posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")
            found[one.get("Id", "")] = Relation(one.get("Type", "").rpartition("/")[2], target, external)
        return found

    def related(self, name: str, kind: str) -> list[str]:
        """The names of the parts that a part has relations of this kind to."""
        return [one.target for one in self.relations(name).values() if one.kind == kind and not one.external]
