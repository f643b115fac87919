"""BER-TLV decoding against pyemv, pyosmocom and pytlv: this decoder strict, the others by default."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pyemv.tlv
from osmocom.tlv import bertlv_parse_one_rawtag
from pytlv.TLV import TLV

from benchmarks.table import Row, alternate
from terminal.tlv import decode, encode, tlv

CALLS = 400


def fci() -> bytes:
    """A nested FCI: three templates deep, as the member application answers SELECT. 60 bytes."""
    discretionary = tlv(0xBF0C, [tlv(0x9F4D, b"\x04\x0a"), tlv(0x9F12, b"MEMBER")])
    pdol = tlv(0x9F38, bytes.fromhex("9F1A029F3704"))
    proprietary = tlv(0xA5, [tlv(0x50, b"UNION MEMBER"), pdol, tlv(0x5F2D, b"zh"), discretionary])
    return tlv(0x6F, [tlv(0x84, bytes.fromhex("F04D454D4245520101")), proprietary]).encode()


def record() -> bytes:
    """A record template of 250 bytes. No object inside is longer than 127 bytes, or pytlv could not read it."""
    sizes = {0x5A: 10, 0x5F34: 1, 0x5F24: 3, 0x5F25: 3, 0x9F07: 2, 0x9F08: 2, 0x9F47: 1, 0x9F48: 40, 0x8C: 27, 0x8E: 10}
    sizes |= {0x9F49: 3, 0x9F4A: 1, 0x5F20: 20}
    objects = [tlv(tag, bytes(range(1, size + 1))) for tag, size in sizes.items()]
    rest = 250 - len(encode(objects)) - 3 - 2
    return tlv(0x70, [*objects, tlv(0x92, bytes(rest))]).encode()


def osmocom(data: bytes) -> list[tuple[int, object]]:
    """The library's parser for one object, called for each template: its fastest way."""
    objects: list[tuple[int, object]] = []
    while data:
        tag, _, value, data = bertlv_parse_one_rawtag(data)
        constructed = (tag if tag <= 0xFF else tag >> 8) & 0x20
        objects.append((tag, osmocom(value) if constructed else value))
    return objects


def pytlv(data: bytes) -> Callable[[], object]:
    """pytlv on the same objects.

    It supports neither templates nor long lengths: it gets a list of tags, is called level by level, and without the
    template of a record.
    """
    outer = decode(data)
    objects = outer if len(outer[0].value) < 0x80 else outer[0].children
    parser = TLV([str(item.tag) for item in objects.walk()])
    text = objects.encode().hex().upper()
    templates = {str(item.tag) for item in objects.walk() if item.tag.constructed}

    def level(part: str) -> dict[str, object]:
        return {tag: level(value) if tag in templates else value for tag, value in parser.parse(part).items()}

    return lambda: level(text)


def run() -> list[Row]:
    """This decoder against each, on both inputs; below a ratio of 1 it is faster."""
    rows = []
    for name, data in (("nested FCI", fci()), ("250-byte record template", record())):
        contenders: dict[str, Callable[[], object]] = {
            "pyemv": partial(pyemv.tlv.decode, data),
            "pyosmocom": partial(osmocom, data),
            "pytlv": pytlv(data),
        }
        for other, theirs in contenders.items():
            ours, seconds, ratio = alternate(partial(decode, data), theirs, calls=CALLS)
            measured = f"{ours * 1e6:.1f} µs against {seconds * 1e6:.1f} µs"
            rows.append(Row(f"BER-TLV decode, {name}, strict, against {other}", measured, ratio, "< 1", ratio < 1))
    return rows
