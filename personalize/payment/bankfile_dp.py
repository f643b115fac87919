"""The data preparation file of docs/bank-file.md: header, one record a card, trailer; chained and authenticated.

Each authenticator is a CMAC over the one before it and its own record, under a key that the header derives from the
transport key, so that records cannot be changed, removed, inserted, reordered or taken from another file without the
key.
"""

from __future__ import annotations

import hmac
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain as in_order
from itertools import islice
from typing import Any, BinaryIO, Final

from construct import (
    Array,
    Bytes,
    Const,
    Construct,
    ConstructError,
    Container,
    GreedyBytes,
    Int8ub,
    Int16ub,
    Int32ub,
    Prefixed,
    PrefixedArray,
    Struct,
    Terminated,
)

from personalize.dossiers.dossier import DIRECTORY, PAYMENT, DossierApplication, DossierPart
from personalize.errors import BankFileError
from personalize.payment import bankfile_stripe
from personalize.payment.bankfile import BankFileExchange, FileHead, PreparedCard, check
from terminal.crypto import des, sm4
from terminal.errors import CustodyError
from terminal.keys import Algorithm, ApplicationKeys, KeyCustody, Sealed, SealedKeys, Udks, WrappedSecret

MAGIC: Final = b"MCDP"
VERSION, WITH_STRIPE = 1, 2
"""Versions of the format: with the second, each card's record ends with its stripe."""
MOST: Final = 0x10_0000
"""Bytes of one record: far above what any chip holds."""

_CARD, _END = 0x43, 0x45
_CIPHERS = {Algorithm.TDES: 1, Algorithm.AES128: 2, Algorithm.AES192: 3, Algorithm.AES256: 4, Algorithm.SM4: 5}
_WRAPPED, _KEY_BLOCKS = 1, 2
"""Format of 3DES keys in the file."""
_PLAIN, _DATA, _TDES_KEYS, _SM4_KEYS = range(4)
_KEYS = {_TDES_KEYS: Algorithm.TDES, _SM4_KEYS: Algorithm.SM4}

_SHORT = Prefixed(Int8ub, GreedyBytes)
_HEADER: Construct = Struct(
    "magic" / Const(MAGIC),
    "version" / Int8ub,
    "sender" / _SHORT,
    "number" / Int32ub,
    "created" / Bytes(7),
    "cipher" / Int8ub,
    "kcv" / Bytes(3),
    "key_form" / Int8ub,
)
_BLOCKS: Construct = Struct("blocks" / Array(3, _SHORT), "end" / Terminated)
_GROUP = Struct(
    "number" / Int16ub,
    "kind" / Int8ub,
    "padded" / Int8ub,
    "kcvs" / PrefixedArray(Int8ub, Bytes(3)),
    "value" / Prefixed(Int16ub, GreedyBytes),
)
_APPLICATION = Struct(
    "package" / _SHORT,
    "module" / _SHORT,
    "instance" / _SHORT,
    "groups" / PrefixedArray(Int16ub, _GROUP),
)
_CARD_FIELDS = (
    "reference" / _SHORT,
    "pan" / _SHORT,
    "sequence" / Bytes(1),
    "applications" / PrefixedArray(Int8ub, _APPLICATION),
)
_STRIPE_FIELD = bankfile_stripe.FIELD / Prefixed(Int16ub, GreedyBytes)
_BODIES: Final[dict[int, Construct]] = {
    VERSION: Struct(*_CARD_FIELDS, "end" / Terminated),
    WITH_STRIPE: Struct(*_CARD_FIELDS, _STRIPE_FIELD, "end" / Terminated),
}


@dataclass(frozen=True, slots=True)
class _Context:
    """Parameters of one file: the parties' keys, the format of 3DES keys, and the version."""

    exchange: BankFileExchange
    keys: int
    version: int


@dataclass(frozen=True, slots=True)
class DpFormat:
    """Format versions 1 and 2. See ``BankFormat``. ``key_blocks``: write 3DES keys as TR-31 key blocks; for reading,
    the header of the file says it. A file is of version 2 where its first card has a stripe."""

    key_blocks: bool = False

    def read(self, stream: BinaryIO, exchange: BankFileExchange) -> tuple[FileHead, Iterator[PreparedCard]]:
        source = _Source(stream)
        head, raw, keys = _read_header(source, exchange)
        return head, _read_cards(source, _Context(exchange, keys, raw[4]), _Chain(exchange, raw))

    def write(self, stream: BinaryIO, head: FileHead, cards: Iterable[PreparedCard], exchange: BankFileExchange) -> int:
        coming = iter(cards)
        first = list(islice(coming, 1))
        version = WITH_STRIPE if any(any(card.stripe) for card in first) else VERSION
        context = _Context(exchange, _KEY_BLOCKS if self.key_blocks else _WRAPPED, version)
        raw = _written_header(head, context)
        stream.write(raw)
        chain = _Chain(exchange, raw)
        count = 0
        for count, card in enumerate(in_order(first, coming), 1):
            body = _written_body(check(card, count), context, count)
            record = bytes((_CARD,)) + len(body).to_bytes(4, "big") + body
            stream.write(record + chain.authenticator(record))
        trailer = bytes((_END,)) + count.to_bytes(4, "big")
        stream.write(trailer + chain.authenticator(trailer))
        return count


class _Chain:
    """The chain of authenticators of one file: each covers the one before it, the first a block of zeros."""

    def __init__(self, exchange: BankFileExchange, header: bytes) -> None:
        self._exchange, self._header = exchange, header
        self.size = des.BLOCK if exchange.custody.info(exchange.transport).algorithm is Algorithm.TDES else sm4.BLOCK
        self._last = bytes(self.size)

    def authenticator(self, record: bytes) -> bytes:
        custody, transport = self._exchange.custody, self._exchange.transport
        self._last = custody.transport_mac(transport, self._header, self._last + record)
        return self._last


class _Source:
    """The file, with the present position: record (0: header) and offset."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.offset = 0
        self.record = 0

    def exactly(self, length: int, field: str) -> bytes:
        data = self._stream.read(length)
        if len(data) != length:
            raise self.fault("the file ends here", field, len(data))
        self.offset += length
        return data

    def at_end(self) -> bool:
        return not self._stream.read(1)

    def fault(self, text: str, field: str = "", further: int = 0) -> BankFileError:
        return BankFileError(text, self.record, field, self.offset + further)


def _read_header(source: _Source, exchange: BankFileExchange) -> tuple[FileHead, bytes, int]:
    """The head, its bytes, and the format of 3DES keys."""
    fixed = source.exactly(6, "magic, version and sender")
    if fixed[:4] != MAGIC:
        raise BankFileError(f"it does not begin with {MAGIC.decode()}, as a file of this format does", 0, "magic", 0)
    if fixed[4] not in _BODIES:
        raise BankFileError(
            f"it is of version {fixed[4]}; this program reads {VERSION} and {WITH_STRIPE}", 0, "version", 4
        )
    raw = fixed + source.exactly(fixed[5] + 16, "header")
    header = _parsed(_HEADER, raw, 0, 0)
    try:
        created = datetime.strptime(header.created.hex(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        raise BankFileError("it is no date and time", 0, "created", len(raw) - 12) from None
    info = exchange.custody.info(exchange.transport)
    if (header.cipher, header.kcv) != (_CIPHERS.get(info.algorithm), info.kcv):
        stated_kcv, ours = header.kcv.hex().upper(), info.kcv.hex().upper()
        raise BankFileError(
            f"it is under a transport key with check value {stated_kcv}; {exchange.transport} has {ours}",
            0,
            "kcv",
            len(raw) - 5,
        )
    if header.key_form not in (_WRAPPED, _KEY_BLOCKS) or (
        header.key_form == _KEY_BLOCKS and info.algorithm is Algorithm.SM4
    ):
        text = f"{header.key_form:02X} is no way in which keys travel under {info.algorithm}"
        raise BankFileError(text, 0, "keys", len(raw) - 1)
    return FileHead(_text(header.sender, 0, "sender", 6), header.number, created), raw, header.key_form


def _read_cards(source: _Source, context: _Context, chain: _Chain) -> Iterator[PreparedCard]:
    count = 0
    while True:
        source.record = count + 1
        frame = source.exactly(5, "kind and length")
        number = int.from_bytes(frame[1:], "big")
        if frame[0] == _END:
            break
        if frame[0] != _CARD:
            raise source.fault(f"{frame[0]:02X} is no kind of record", "kind", -5)
        if number > MOST:
            raise source.fault(f"{number} bytes; {MOST} are the most of a record", "length", -4)
        start = source.offset
        body = source.exactly(number, "body")
        _authentic(source, chain, frame + body)
        count += 1
        yield _card(_parsed(_BODIES[context.version], body, count, start), context, count, start)
    _authentic(source, chain, frame)
    if number != count:
        raise source.fault(f"the trailer counts {number} records, and {count} came before it", "count")
    if not source.at_end():
        raise source.fault("there are bytes after the trailer")


def _authentic(source: _Source, chain: _Chain, record: bytes) -> None:
    authenticator = source.exactly(chain.size, "authenticator")
    if not hmac.compare_digest(authenticator, chain.authenticator(record)):
        raise source.fault(
            "the authenticator is wrong: the file was changed up to here", "authenticator", -len(authenticator)
        )


def _parsed(shape: Construct, raw: bytes, record: int, start: int) -> Container[Any]:
    stream = io.BytesIO(raw)
    try:
        parsed: Container[Any] = shape.parse_stream(stream)
    except ConstructError as fault:
        path = (fault.path or "").removeprefix("(parsing)").strip(" ->").replace(" -> items", "").replace(" -> ", ".")
        raise BankFileError("it does not fit the format", record, path, start + stream.tell()) from None
    return parsed


def _card(fields: Container[Any], context: _Context, record: int, start: int) -> PreparedCard:
    digits = fields.pan.hex().upper()
    pan = digits.removesuffix("F")
    if not (pan.isdecimal() and 8 <= len(pan) <= 19):
        raise BankFileError("it is not 8 to 19 digits", record, "pan", start)
    if not fields.sequence.hex().isdecimal():
        raise BankFileError("it is not two digits", record, "sequence", start)
    if not fields.applications:
        raise BankFileError("a card has at least one application", record, "applications", start)
    reference = _text(fields.reference, record, "reference", start)
    try:
        first, *others = fields.applications
        payment = _application(PAYMENT, first, context, reference, record)
        directories = tuple(_application(DIRECTORY, one, context, reference, record) for one in others)
        stripe = bankfile_stripe.unwrapped(fields.get(bankfile_stripe.FIELD, b""), context.exchange, record)
        return check(PreparedCard(reference, pan, int(fields.sequence.hex()), payment, directories, stripe), record)
    except BankFileError as fault:
        raise fault.at(start) from None


def _text(raw: bytes, record: int, field: str, offset: int) -> str:
    text = raw.decode("ascii", "replace")
    if not text.isprintable() or not text.isascii() or not text:
        raise BankFileError("it is not printable ASCII", record, field, offset)
    return text


def _application(
    kind: str, fields: Container[Any], context: _Context, reference: str, record: int
) -> DossierApplication:
    name = f"{reference}/{fields.instance.hex().upper()}"
    parts = tuple(_part(group, context, name, record) for group in fields.groups)
    return DossierApplication(kind, fields.package, fields.module, fields.instance, parts)


def _part(group: Container[Any], context: _Context, name: str, record: int) -> DossierPart:
    field = f"application {name.rpartition('/')[2]}, DGI {group.number:04X}"
    if group.padded > 1 or (group.kind == _PLAIN and group.padded):
        raise BankFileError(f"{group.padded:02X} says no padding of this kind of value", record, field)
    if bool(group.kcvs) is not (group.kind in _KEYS):
        raise BankFileError("check values go with keys, and with keys alone", record, field)
    if group.kind == _PLAIN:
        return DossierPart(group.number, group.value)
    if group.kind != _DATA and group.kind not in _KEYS:
        raise BankFileError(f"{group.kind:02X} is no kind of value", record, field)
    try:
        return DossierPart(
            group.number, _unwrapped(group, context, f"bank/{name}/{group.number:04X}"), bool(group.padded)
        )
    except ConstructError:
        raise BankFileError("the value is not three key blocks, each after its length", record, field) from None
    except CustodyError as fault:
        raise BankFileError(str(fault), record, field) from None


def _unwrapped(group: Container[Any], context: _Context, place: str) -> Sealed | SealedKeys:
    """A secret of the file, sealed. Raises CustodyError, ConstructError."""
    custody, transport, seal = context.exchange.custody, context.exchange.transport, context.exchange.seal
    if group.kind == _DATA:
        return custody.data_from_transport(transport, group.value, seal, place)
    kcvs = tuple(group.kcvs)
    if context.keys == _KEY_BLOCKS and group.kind == _TDES_KEYS:
        blocks = [block.decode("ascii", "replace") for block in _BLOCKS.parse(group.value).blocks]
        return custody.keys_from_blocks(transport, blocks, kcvs, seal, place)
    return custody.keys_from_transport(transport, WrappedSecret(group.value, kcvs), _KEYS[group.kind], seal, place)


def _sayable(text: str) -> bool:
    return text.isascii() and text.isprintable() and 0 < len(text) <= 0xFF


def _written_header(head: FileHead, context: _Context) -> bytes:
    info = context.exchange.custody.info(context.exchange.transport)
    if not _sayable(head.sender) or not 0 <= head.number <= 0xFFFFFFFF:
        raise BankFileError("a sender of 1 to 255 ASCII characters and a number of four bytes are wanted", 0, "sender")
    if context.keys == _KEY_BLOCKS and info.algorithm is Algorithm.SM4:
        raise BankFileError(f"TR-31 key blocks are under 3DES or AES, and {info.ref} is sm4", 0, "keys")
    created = bytes.fromhex(f"{head.created.astimezone(UTC):%Y%m%d%H%M%S}")
    return bytes(
        _HEADER.build(
            {
                "version": context.version,
                "sender": head.sender.encode("ascii"),
                "number": head.number,
                "created": created,
                "cipher": _CIPHERS[info.algorithm],
                "kcv": info.kcv,
                "key_form": context.keys,
            }
        )
    )


def _written_body(card: PreparedCard, context: _Context, record: int) -> bytes:
    if not _sayable(card.reference) or len(card.applications) > 0xFF:
        raise BankFileError("a reference is 1 to 255 ASCII characters", record, "reference")
    if not (card.pan.isascii() and card.pan.isdecimal() and 8 <= len(card.pan) <= 19 and 0 <= card.sequence <= 99):
        raise BankFileError("a card number has 8 to 19 digits, a sequence number two", record, "pan")
    if any(card.stripe) and context.version == VERSION:
        raise BankFileError("it has a stripe, and the first card of the file has none", record, bankfile_stripe.FIELD)
    body = bytes(
        _BODIES[context.version].build(
            {
                "reference": card.reference.encode("ascii"),
                "pan": bytes.fromhex(card.pan + "F" * (len(card.pan) % 2)),
                "sequence": bytes.fromhex(f"{card.sequence:02d}"),
                "applications": [_written_application(one, context, record) for one in card.applications],
                bankfile_stripe.FIELD: bankfile_stripe.wrapped(card.stripe, context.exchange, card.reference),
                "end": None,
            }
        )
    )
    if len(body) > MOST:
        raise BankFileError(f"{len(body)} bytes; {MOST} are the most of a record", record)
    return body


def _written_application(application: DossierApplication, context: _Context, record: int) -> dict[str, object]:
    return {
        "package": application.package_aid,
        "module": application.module_aid,
        "instance": application.instance_aid,
        "groups": [_written_part(part, context, record) for part in application.parts],
    }


def _written_part(part: DossierPart, context: _Context, record: int) -> dict[str, object]:
    kind = _PLAIN
    kcvs: tuple[bytes, ...] = ()
    custody, transport = context.exchange.custody, context.exchange.transport
    if isinstance(part.value, bytes):
        value = part.value
    elif isinstance(part.value, Sealed):
        kind, value = _DATA, custody.to_transport(transport, part.value).ciphertext
    elif isinstance(part.value, ApplicationKeys | SealedKeys):
        kind, kcvs = _kind(part.value, custody), part.value.kcvs
        value = _written_keys(part.value, kind, context)
    else:
        raise BankFileError("keys of a security domain do not go to a bank", record, f"DGI {part.number:04X}")
    if len(value) > 0xFFFF:
        raise BankFileError(f"{len(value)} bytes; 65535 are the most of a DGI", record, f"DGI {part.number:04X}")
    return {"number": part.number, "kind": kind, "padded": int(part.padded), "kcvs": kcvs, "value": value}


def _written_keys(keys: Udks, kind: int, context: _Context) -> bytes:
    custody, transport = context.exchange.custody, context.exchange.transport
    if context.keys == _KEY_BLOCKS and kind == _TDES_KEYS:
        blocks = [block.encode("ascii") for block in custody.key_blocks(transport, keys)]
        return bytes(_BLOCKS.build({"blocks": blocks, "end": None}))
    return custody.to_transport(transport, keys).ciphertext


def _kind(keys: Udks, custody: KeyCustody) -> int:
    algorithm = keys.algorithm if isinstance(keys, SealedKeys) else custody.info(keys.masters[0]).algorithm
    return next(kind for kind, cipher in _KEYS.items() if cipher is algorithm)
