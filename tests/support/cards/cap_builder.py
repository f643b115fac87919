"""Builds small but well-formed CAP files: one package of applets that do nothing. JCVM 2.2.2, chapter 6."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence

FRAMEWORK = bytes.fromhex("A0000000620101")
LANG = bytes.fromhex("A0000000620001")

_TAGS = {
    "Header": 1,
    "Directory": 2,
    "Applet": 3,
    "Import": 4,
    "ConstantPool": 5,
    "Class": 6,
    "Method": 7,
    "StaticField": 8,
    "RefLocation": 9,
    "Export": 10,
    "Descriptor": 11,
}
_RETURN = 0x7A
_ACC_EXPORT, _ACC_APPLET = 0x02, 0x04


def components(
    package: bytes,
    applets: Sequence[bytes],
    *,
    version: tuple[int, int] = (1, 0),
    name: str | None = "com/example/club",
    body: int = 0,
    exports: bool = False,
) -> dict[str, bytes]:
    """Framed components by name. ``body`` adds that many bytes of code; ``name`` None makes format 2.1, else 2.2."""
    infos: dict[str, bytes] = {
        "Import": _import(),
        "ConstantPool": _constant_pool(),
        "Class": _classes(len(applets), signatures=name is not None),
        "Method": _methods(body),
        "StaticField": bytes(10),
        "RefLocation": _u2(0) + _u2(0),
        "Descriptor": _descriptor(),
    }
    if applets:
        infos["Applet"] = bytes((len(applets),)) + b"".join(_lv(aid) + _u2(1) for aid in applets)
    if exports:
        infos["Export"] = bytes((0,))
    flags = (_ACC_EXPORT if exports else 0) | (_ACC_APPLET if applets else 0)
    infos["Header"] = _header(package, version, name, flags)
    infos["Directory"] = b""
    infos["Directory"] = _directory(infos, len(applets), twelve=name is not None)
    return {part: frame(part, infos[part]) for part in _TAGS if part in infos}


def frame(part: str, info: bytes) -> bytes:
    """Tag, size, info. JCVM 2.2.2, 6.2."""
    return bytes((_TAGS[part],)) + _u2(len(info)) + info


def archive(parts: Mapping[str, bytes], folder: str = "com/example/club/javacard", extra: Iterable[str] = ()) -> bytes:
    """The ZIP (JAR) form of a CAP file: one entry for each component, in no particular order."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.writestr("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\n")
        for part in sorted(parts):
            zipped.writestr(f"{folder}/{part}.cap", parts[part])
        for path in extra:
            zipped.writestr(path, b"anything")
    return buffer.getvalue()


def cap_file(package: bytes, applets: Sequence[bytes], *, body: int = 0) -> bytes:
    """A whole CAP file as bytes."""
    return archive(components(package, applets, body=body))


def _header(package: bytes, version: tuple[int, int], name: str | None, flags: int) -> bytes:
    """JCVM 2.2.2, 6.3."""
    major, minor = version
    head = bytes.fromhex("DECAFFED") + bytes((1 if name is None else 2, 2, flags))
    return head + bytes((minor, major)) + _lv(package) + (b"" if name is None else _lv(name.encode()))


def _directory(infos: Mapping[str, bytes], applets: int, *, twelve: bool) -> bytes:
    """JCVM 2.2.2, 6.4: sizes by tag order (with the Debug component in format 2.2), static image, counts."""
    tail = bytes(6) + bytes((2, applets, 0))
    count = 12 if twelve else 11
    own = 2 * count + len(tail)
    sizes = [own if part == "Directory" else len(infos.get(part, b"")) for part in _TAGS]
    return b"".join(_u2(size) for size in (*sizes, 0)[:count]) + tail


def _import() -> bytes:
    """JCVM 2.2.2, 6.6: package 0 javacard.framework 1.3, package 1 java.lang 1.0."""
    return bytes((2,)) + bytes((3, 1)) + _lv(FRAMEWORK) + bytes((0, 1)) + _lv(LANG)


def _constant_pool() -> bytes:
    """JCVM 2.2.2, 6.7: one class reference, to javacard.framework.Applet."""
    return _u2(1) + bytes((1, 0x80, 3, 0))


def _classes(count: int, *, signatures: bool) -> bytes:
    """JCVM 2.2.2, 6.8: each class extends Applet, overrides nothing, has no fields."""
    one = bytes((0x00,)) + bytes((0x80, 0x03)) + bytes((0, 0xFF, 0, 0, 0, 0, 0))
    return (_u2(0) if signatures else b"") + one * count


def _methods(body: int) -> bytes:
    """JCVM 2.2.2, 6.9: no handlers; one method (stack 0, one argument) that returns."""
    return bytes((0,)) + bytes((0x00, 0x10)) + bytes((_RETURN,)) * (1 + body)


def _descriptor() -> bytes:
    """JCVM 2.2.2, 6.13: no class described, one constant without a type."""
    return bytes((0,)) + _u2(1) + _u2(0xFFFF)


def _lv(value: bytes) -> bytes:
    return bytes((len(value),)) + value


def _u2(number: int) -> bytes:
    return number.to_bytes(2, "big")
