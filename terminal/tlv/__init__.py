"""BER-TLV, data object lists and data grouping identifiers: strict, lossless, fast.

``decode(data)`` returns ``Tlvs``, a sequence of ``Tlv(tag, value, children)``; ``split(data)`` gives the outermost
objects without reading their content; ``tlv(tag, content)`` builds one object;
``Dol`` parses and fills data object lists; ``dgi`` holds ``encode``, ``decode`` and ``Stream`` for DGIs.
"""

from terminal.tlv import dgi
from terminal.tlv.ber import MAX_DEPTH, Lengths, Padding, Tag, Tlv, Tlvs, decode, encode, encode_length, split, tlv
from terminal.tlv.cached_parse import cached_parse
from terminal.tlv.dol import Dol, DolEntry, DolFormat, asks_for, fit

__all__ = [
    "MAX_DEPTH",
    "Dol",
    "DolEntry",
    "DolFormat",
    "Lengths",
    "Padding",
    "Tag",
    "Tlv",
    "Tlvs",
    "asks_for",
    "cached_parse",
    "decode",
    "dgi",
    "encode",
    "encode_length",
    "fit",
    "split",
    "tlv",
]
