"""Bank data files: there and back, and everything that a damaged or a foreign file can be."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from psec import tr31 as psec_tr31
from pyemv.tools import encrypt_tdes_ecb

from personalize.dossiers.dossier import DIRECTORY, PAYMENT, DossierApplication, DossierPart
from personalize.errors import BankFileError
from personalize.payment import bankfile_stripe
from personalize.payment.bankfile import BankFileExchange, FileHead, PreparedCard
from personalize.payment.bankfile_dp import MOST, DpFormat
from terminal.crypto import des
from terminal.keys import TRACKS_MARK, Algorithm, ApplicationKeys, CardKeys, Diversification, KeyRef, Sealed, SealedKeys
from terminal.secret import Secret
from tests.support.cards.bank_cards import AID, HEAD, PAN, ZMK, card, identity, party, record
from tests.support.paths import ROOT
from tests.support.thorough import repeats
from tests.support.unsealed import hidden

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

BANK, BUREAU = party(), party()
HEADER = 32
"""Bytes of the header with the sender's ten characters."""
MAC = 8
TRAILER = 5 + MAC


def written(
    *cards: PreparedCard, side: BankFileExchange = BANK, head: FileHead = HEAD, key_blocks: bool = False
) -> bytes:
    stream = io.BytesIO()
    assert DpFormat(key_blocks).write(stream, head, cards, side) == len(cards)
    return stream.getvalue()


def read(data: bytes, side: BankFileExchange = BUREAU) -> tuple[FileHead, list[PreparedCard]]:
    head, cards = DpFormat().read(io.BytesIO(data), side)
    return head, list(cards)


def fault(data: bytes, side: BankFileExchange = BUREAU) -> BankFileError:
    with pytest.raises(BankFileError) as caught:
        read(data, side)
    return caught.value


def hides(part: DossierPart, secret: bytes, side: BankFileExchange) -> bool:
    """Whether that is what is sealed, which custody shows to nobody."""
    assert isinstance(part.value, Sealed)
    return hidden(side.custody, part.value) == secret


TRANSPORTS = {Algorithm.TDES: 16, Algorithm.SM4: 16, Algorithm.AES128: 16, Algorithm.AES256: 32}


@pytest.mark.parametrize(
    ("algorithm", "key_blocks"),
    [*((algorithm, False) for algorithm in TRANSPORTS), *((a, True) for a in TRANSPORTS if a is not Algorithm.SM4)],
)
def test_a_card_goes_over_whole_with_its_secrets_resealed(algorithm: Algorithm, key_blocks: bool) -> None:
    key = Secret(bytes(range(1, TRANSPORTS[algorithm] + 1)))
    bank, bureau = party(algorithm, key), party(algorithm, key)
    sent = card(bank)
    head, [got] = read(written(sent, side=bank, key_blocks=key_blocks), bureau)
    assert head == HEAD
    assert (got.reference, got.pan, got.sequence) == (sent.reference, PAN, 1)
    assert got.directories == sent.directories
    plain = [part for part in sent.payment.parts if isinstance(part.value, bytes)]
    assert [part for part in got.payment.parts if isinstance(part.value, bytes)] == plain
    assert [(p.number, p.padded) for p in got.payment.parts] == [(p.number, p.padded) for p in sent.payment.parts]
    by_number = {part.number: part for part in got.payment.parts}
    for part in sent.payment.parts:
        if isinstance(part.value, ApplicationKeys):
            keys = by_number[part.number].value
            assert isinstance(keys, SealedKeys)
            assert (keys.algorithm is Algorithm.SM4) is (part.number == 0x8020)
            theirs = bank.custody.to_transport(bank.transport, part.value)
            assert bureau.custody.to_transport(bureau.transport, keys) == theirs
    assert hides(by_number[0x8010], bytes.fromhex("241234FFFFFFFFFF"), bureau)


def test_key_blocks_in_a_file_are_those_that_psec_reads() -> None:
    sent = card(BANK)
    whole = written(sent, key_blocks=True)
    assert whole[HEADER - 1] == 2
    keys = next(part.value for part in sent.payment.parts if part.number == 0x8000)
    assert isinstance(keys, ApplicationKeys)
    at = whole.index(b"B0096E0TX")
    for usage, kcv in zip(("E0", "E2", "E1"), keys.kcvs, strict=True):
        assert whole[at - 1] == 96, "each block comes after its length"
        header, key = psec_tr31.unwrap(ZMK.reveal(), whole[at : at + 96].decode("ascii"))
        assert (header.key_usage, encrypt_tdes_ecb(key, bytes(8))[:3]) == (usage, kcv)
        at += 97
    assert whole.count(b"B0096") == 3, "keys for SM4, which TR-31 does not know, travel wrapped"


def test_key_blocks_need_a_transport_key_that_tr_31_knows() -> None:
    bank = party(Algorithm.SM4)
    with pytest.raises(BankFileError, match="TR-31 key blocks are under 3DES or AES, and zmk/1 is sm4"):
        written(card(bank), side=bank, key_blocks=True)
    whole = written(side=bank)
    message = fault(whole[: HEADER - 1] + b"\x02" + whole[HEADER:], bank)
    assert "02 is no way in which keys travel under sm4 (at offset 31)" in str(message)


def test_the_same_pin_of_two_cards_looks_different_in_the_file() -> None:
    whole = written(card(BANK, "1"), card(BANK, "2"))
    shape = bytes.fromhex("8010 01 01 00 0020")
    one, two = (whole[at : at + 32] for at in _all(whole, shape))
    assert not {one[n : n + 8] for n in range(0, 32, 8)} & {two[n : n + 8] for n in range(0, 32, 8)}


def _all(whole: bytes, shape: bytes) -> list[int]:
    return [at + len(shape) for at in range(len(whole)) if whole.startswith(shape, at)]


def test_what_was_imported_can_be_exported_again() -> None:
    _, cards = read(written(card(BANK)))
    _, [again] = read(written(*cards, side=BUREAU), BANK)
    _, [first] = read(written(card(BANK)), BANK)
    assert {p.number for p in again.payment.parts} == {p.number for p in first.payment.parts}


def test_the_file_is_as_its_page_says() -> None:
    """Byte for byte, from docs/bank-file.md and not from the program."""
    plain = PreparedCard(
        "R1", PAN, 1, DossierApplication(PAYMENT, b"PACKG", b"MODUL", b"INSTA", (DossierPart(0x9102, b"\xa5\x00"),))
    )
    kcv = encrypt_tdes_ecb(ZMK.reveal(), bytes(8))[:3]
    header = b"MCDP\x01\x0aFIRST BANK" + bytes.fromhex("00000007 20261122103000 01") + kcv + b"\x01"
    body = b"\x02R1\x08" + bytes.fromhex(PAN) + b"\x01\x01\x05PACKG\x05MODUL\x05INSTA\x00\x01"
    body += bytes.fromhex("9102 00 00 00 0002 A500")
    record = b"C" + len(body).to_bytes(4, "big") + body
    key = b"".join(cmac(ZMK.reveal(), bytes((i,)) + b"MCDP FILE\x00" + header + b"\x00\x80") for i in (1, 2))
    first = cmac(key, bytes(8) + record)
    trailer = b"E\x00\x00\x00\x01"
    assert written(plain) == header + record + first + trailer + cmac(key, first + trailer)


def cmac(key: bytes, data: bytes) -> bytes:
    """NIST SP 800-38B with triple DES, from the standard's own steps."""

    def doubled(block: bytes) -> bytes:
        number = int.from_bytes(block, "big") << 1
        return ((number ^ 0x1B) & (1 << 64) - 1 if block[0] & 0x80 else number).to_bytes(8, "big")

    one = doubled(encrypt_tdes_ecb(key, bytes(8)))
    whole = data and len(data) % 8 == 0
    last = one if whole else doubled(one)
    padded = data if whole else data + b"\x80" + bytes(-(len(data) + 1) % 8)
    chained = bytes(8)
    for at in range(0, len(padded), 8):
        block = bytes(a ^ b for a, b in zip(padded[at : at + 8], chained, strict=True))
        if at + 8 == len(padded):
            block = bytes(a ^ b for a, b in zip(block, last, strict=True))
        chained = encrypt_tdes_ecb(key, block)
    return chained


def test_the_examples_of_the_standard_hold_for_this_oracle() -> None:
    """NIST SP 800-38B examples, two-key triple DES: the empty message, and one of twenty bytes."""
    key = bytes.fromhex("4CF15134A2850DD58A3D10BA80570D38")
    assert cmac(key, b"").hex() == "bd2ebf9a3ba00361"
    assert (
        cmac(key, bytes.fromhex("6BC1BEE22E409F96E93D7E117393172AAE2D8A57")).hex()
        == des.cmac(key, bytes.fromhex("6BC1BEE22E409F96E93D7E117393172AAE2D8A57")).hex()
    )


TEXT = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)
AIDS = st.binary(min_size=5, max_size=16)
PARTS = st.lists(
    st.builds(DossierPart, st.integers(0x9000, 0xFFFF), st.binary(max_size=300)),
    max_size=6,
    unique_by=lambda part: part.number,
).map(tuple)
PAYMENTS, DIRECTORIES = (
    st.builds(DossierApplication, st.just(kind), AIDS, AIDS, AIDS, PARTS) for kind in (PAYMENT, DIRECTORY)
)
CARDS = st.builds(
    PreparedCard,
    TEXT,
    st.text("0123456789", min_size=8, max_size=19),
    st.integers(0, 99),
    PAYMENTS,
    st.lists(DIRECTORIES, max_size=2).map(tuple),
)
HEADS = st.builds(
    FileHead,
    TEXT,
    st.integers(0, 0xFFFFFFFF),
    st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1)).map(lambda at: at.replace(microsecond=0, tzinfo=UTC)),
)


@given(HEADS, st.lists(CARDS, max_size=3))
def test_whatever_is_written_is_read(head: FileHead, cards: list[PreparedCard]) -> None:
    assert read(written(*cards, head=head)) == (head, cards)


@given(CARDS, st.binary(min_size=1, max_size=100), st.booleans())
def test_secrets_of_any_length_are_read(one: PreparedCard, secret: bytes, padded: bool) -> None:
    sealed = BANK.custody.seal(BANK.seal, secret, "x")
    sent = replace(one, payment=replace(one.payment, parts=(DossierPart(0x8201, sealed, padded),)))
    _, [got] = read(written(sent))
    assert hides(got.payment.parts[0], secret, BUREAU)
    assert got.payment.parts[0].padded is padded


def test_a_file_cut_anywhere_is_refused() -> None:
    whole = written(replace(card(BANK), directories=()))
    for length in range(len(whole)):
        cut = fault(whole[:length])
        assert "the file ends here" in str(cut)
        assert cut.offset == length


WHOLE = written(card(BANK, "1"), card(BANK, "2"))
ENDS = [HEADER, HEADER + (len(WHOLE) - HEADER - TRAILER) // 2, len(WHOLE) - TRAILER, len(WHOLE)]
"""Where header, both records (which are of one length) and trailer end."""


@settings(max_examples=repeats(100, 4000))
@given(st.integers(0, 8 * len(WHOLE) - 1), st.sampled_from([1, 2, 8]))
def test_a_flipped_bit_anywhere_is_a_fault_with_record_and_offset(at: int, width: int) -> None:
    bent = bytearray(WHOLE)
    for bit in range(at, min(at + width, 8 * len(WHOLE))):
        bent[bit // 8] ^= 1 << bit % 8
    message = fault(bytes(bent))
    begun = next(place for place, end in enumerate(ENDS) if at // 8 < end)
    assert message.record in ({0, 1} if begun == 0 else {begun}), (
        "noticed in the record, or by the first if the header's"
    )
    assert message.offset is not None
    assert message.offset <= len(WHOLE)
    assert f"(at offset {message.offset})" in str(message)


@given(st.integers(HEADER + 1, HEADER + 4), st.integers(1, 255))
def test_a_length_that_is_too_long_is_a_fault_with_record_and_offset(at: int, value: int) -> None:
    bent = bytearray(WHOLE)
    bent[at] = value if bent[at] != value else value ^ 0x80
    message = fault(bytes(bent))
    assert message.record == 1
    assert message.offset is not None


@given(st.data())
def test_records_cannot_be_dropped_doubled_or_swapped(data: st.DataObject) -> None:
    whole = written(*(card(BANK, str(n)) for n in range(3)))
    records = _records(whole)
    order = data.draw(st.lists(st.integers(0, 2), max_size=4).filter(lambda o: o != [0, 1, 2]))
    tail = whole[-TRAILER:]
    bent = whole[:HEADER] + b"".join(records[n] for n in order) + tail
    assert "authenticator" in str(fault(bent))


def _records(whole: bytes) -> list[bytes]:
    records, at = [], HEADER
    while whole[at : at + 1] == b"C":
        stop = at + 5 + int.from_bytes(whole[at + 1 : at + 5], "big") + MAC
        records.append(whole[at:stop])
        at = stop
    return records


def test_a_cards_bytes_come_only_once_its_authenticator_was_right() -> None:
    whole = bytearray(written(card(BANK, "1"), card(BANK, "2")))
    whole[-TRAILER - 3] ^= 1  # in the second record's authenticator
    _, cards = DpFormat().read(io.BytesIO(bytes(whole)), BUREAU)
    assert next(cards).reference == "1"
    with pytest.raises(BankFileError, match="record 2, authenticator"):
        next(cards)


def test_reading_streams() -> None:
    """The first card is there before the second was read."""
    stream = io.BytesIO(written(*(card(BANK, str(n)) for n in range(5))))
    _, cards = DpFormat().read(stream, BUREAU)
    first = next(cards)
    assert first.reference == "0"
    assert stream.tell() < len(stream.getvalue()) / 4


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_with_their_place(data: bytes) -> None:
    assert str(fault(data)).startswith("bank file, the header")


@pytest.mark.parametrize(
    ("bend", "words"),
    [
        (lambda d: b"MCDQ" + d[4:], "does not begin with MCDP"),
        (lambda d: d[:4] + b"\x03" + d[5:], "version 3; this program reads 1 and 2"),
        (lambda d: d[:4] + b"\x02" + d[5:], "record 1, authenticator: the authenticator is wrong"),
        (lambda d: d[:20] + b"\x2a" + d[21:], "no date and time"),
        (lambda d: d[:27] + b"\x05" + d[28:], "transport key with check value"),
        (lambda d: d[:31] + b"\x03" + d[32:], "03 is no way in which keys travel under 3des"),
        (lambda d: d[:28] + b"\x00\x00\x00" + d[31:], "transport key with check value 000000; zmk/1 has"),
        (lambda d: d[:6] + b"\xff" + d[7:], "sender: it is not printable ASCII"),
        (lambda d: d + b"\x00", "bytes after the trailer"),
        (lambda d: d[:HEADER] + b"X" + d[HEADER + 1 :], "58 is no kind of record"),
        (lambda d: d[: HEADER + 1] + b"\xff" + d[HEADER + 2 :], f"{MOST} are the most"),
    ],
)
def test_a_broken_frame_is_refused(bend: object, words: str) -> None:
    message = str(fault(bend(written(card(BANK)))))  # type: ignore[operator]
    assert words in message
    assert "offset" in message or "check value" in message


def test_a_file_under_another_key_names_both_check_values() -> None:
    stranger = party(zmk=Secret(bytes(range(16))))
    message = str(fault(written(card(BANK)), stranger))
    ours = stranger.custody.info(stranger.transport).kcv.hex().upper()
    theirs = BANK.custody.info(BANK.transport).kcv.hex().upper()
    assert theirs in message
    assert ours in message


def genuine(body: bytes) -> bytes:
    """A file whose sender wrote this body, authenticated with the right key."""
    return signed(b"C" + len(body).to_bytes(4, "big") + body, b"E\x00\x00\x00\x01")


def signed(*records: bytes, header: bytes = written()[:HEADER]) -> bytes:
    whole, last = header, bytes(MAC)
    for one in records:
        last = BANK.custody.transport_mac(BANK.transport, header, last + one)
        whole += one + last
    return whole


def test_a_record_of_another_file_is_refused() -> None:
    """Same bank, same key, another number of the file: its first record does not verify here."""
    other = written(card(BANK, "1"), head=replace(HEAD, number=8))
    assert "authenticator" in str(fault(WHOLE[:HEADER] + other[HEADER:]))


def body(
    group: str = "9102 00 00 00 0002 A500", *, pan: str = PAN, sequence: str = "01", aid: str = "05A0A1A2A3A4"
) -> bytes:
    head = b"\x02R1" + bytes((len(bytes.fromhex(pan)),)) + bytes.fromhex(pan + sequence)
    groups = [part for part in group.split("+") if part]
    count = f"{len(groups):04X}"
    return head + bytes.fromhex("01" + aid * 3 + count) + b"".join(map(bytes.fromhex, groups))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (body(pan="6217001234567A"), "pan: it is not 8 to 19 digits"),
        (body(pan="621700"), "pan: it is not 8 to 19 digits"),
        (body(sequence="0A"), "sequence: it is not two digits"),
        (body(aid="04A0A1A2A3"), "an AID has 5 to 16 bytes"),
        (body(aid="11" + "A0" * 17), "an AID has 5 to 16 bytes"),
        (body("9102 00 00 00 0002 A500+9102 00 00 00 0000"), "DGI 9102: it is there twice"),
        (body("9102 04 00 00 0002 A500"), "04 is no kind of value"),
        (body("9102 00 01 00 0002 A500"), "01 says no padding"),
        (body("8010 01 02 00 0008 0000000000000000"), "02 says no padding"),
        (body("8010 01 00 01 112233 0008 0000000000000000"), "check values go with keys"),
        (body("8000 02 00 00 0008 0000000000000000"), "check values go with keys"),
        (body("8000 02 00 01 112233 0008 0000000000000000"), "DGI 8000: unwrapping"),
        (body("8010 01 00 00 0007 00000000000000"), "DGI 8010: unwrapping"),
        (body("8010 01 00 00 0000"), "DGI 8010: unwrapping"),
        (body("8000 02 00 03 112233112233112233 0000"), "DGI 8000: unwrapping"),
        (body("9102 00 00 00 0009 A500"), "applications.groups.value: it does not fit the format"),
        (body() + b"\x00", "end: it does not fit the format"),
        (b"", "reference: it does not fit the format"),
        (b"\x00" + body()[3:], "reference: it is not printable ASCII"),
        (b"\x02R\x7f" + body()[3:], "reference: it is not printable ASCII"),
        (b"\x02R\xe9" + body()[3:], "reference: it is not printable ASCII"),
        (b"\x02R1\x08" + bytes.fromhex(PAN + "01" + "00"), "at least one application"),
        (b"\x01\xff" + body()[3:], "reference: it is not printable ASCII"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_genuine_file_that_makes_no_sense_is_a_fault_with_record_field_and_place(raw: bytes, words: str) -> None:
    message = str(fault(genuine(raw)))
    assert message.startswith("bank file, record 1, ")
    assert words in message
    assert "(at offset " in message


def test_a_trailer_that_counts_otherwise_is_refused() -> None:
    message = str(fault(signed(b"E\x00\x00\x00\x01")))
    assert "the trailer counts 1 records, and 0 came before it" in message


def with_record(value: bytes) -> PreparedCard:
    return PreparedCard("R1", PAN, 1, DossierApplication(PAYMENT, AID, AID, AID, (DossierPart(0x0101, value),)))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (identity("6217001234567891"), "(5A) is not that of the card"),
        (identity(sequence=2), "(5F34) is not that of the card"),
        (record((0x57, bytes.fromhex("6217001234567891D31122010000"))), "(57) are not those of the card"),
        (b"\x70\x05\x5a", "its data objects are broken"),
    ],
    ids=["5A", "5F34", "57", "broken"],
)
def test_a_chips_data_must_be_of_the_card(value: bytes, words: str) -> None:
    with pytest.raises(BankFileError, match="record 1, DGI 0101") as caught:
        written(with_record(value))
    assert words in str(caught.value)
    raw = body(f"0101 00 00 00 {len(value):04X} {value.hex()}")
    assert words in str(fault(genuine(raw)))


def test_track_2_of_the_card_is_no_fault() -> None:
    one = with_record(record((0x57, bytes.fromhex(PAN + "D31122010000"))))
    assert read(written(one))[1] == [one]


@pytest.mark.parametrize(
    "bend",
    [
        lambda c: replace(c, reference=""),
        lambda c: replace(c, reference="字"),
        lambda c: replace(c, reference="r" * 256),
        lambda c: replace(c, pan="1234567"),
        lambda c: replace(c, pan="12345678x"),
        lambda c: replace(c, sequence=100),
        lambda c: replace(c, payment=replace(c.payment, instance_aid=b"abcd")),
        lambda c: replace(c, payment=replace(c.payment, parts=(DossierPart(0x9102, b""),) * 2)),
        lambda c: replace(c, payment=replace(c.payment, parts=(DossierPart(0x9102, bytes(0x10000)),))),
        lambda c: replace(c, payment=replace(c.payment, parts=tuple(DossierPart(n, bytes(0xFFFF)) for n in range(17)))),
    ],
)
def test_what_the_format_cannot_say_is_not_written(bend: object) -> None:
    with pytest.raises(BankFileError, match="bank file, record 1"):
        written(bend(with_record(identity())))  # type: ignore[operator]


def test_keys_of_a_security_domain_do_not_go_to_a_bank() -> None:
    keys = CardKeys(KeyRef("imk-read"), Diversification.KDF3, b"", 0x40, (b"abc",) * 3)  # type: ignore[arg-type]
    with pytest.raises(BankFileError, match="do not go to a bank"):
        written(PreparedCard("R1", PAN, 1, DossierApplication(PAYMENT, AID, AID, AID, (DossierPart(0x8030, keys),))))


@pytest.mark.parametrize("head", [replace(HEAD, sender=""), replace(HEAD, sender="行"), replace(HEAD, number=-1)])
def test_a_head_that_the_format_cannot_say_is_not_written(head: FileHead) -> None:
    with pytest.raises(BankFileError, match="sender"):
        written(head=head)


def test_times_are_universal() -> None:
    there = HEAD.created.astimezone(datetime.now().astimezone().tzinfo) + timedelta(0)
    assert read(written(head=replace(HEAD, created=there)))[0] == HEAD


def test_no_secret_is_in_the_file_or_shown() -> None:
    sent = card(BANK)
    data = written(sent)
    _, [got] = read(data)
    keys = [part.value for part in sent.payment.parts if isinstance(part.value, ApplicationKeys)]
    wrapped = [BANK.custody.to_transport(BANK.transport, one).ciphertext for one in keys]
    clear = [des.ecb_decrypt(ZMK.reveal(), one) for one in wrapped]
    for secret in (bytes.fromhex("241234FFFFFFFFFF"), *(one[at : at + 16] for one in clear for at in (0, 16, 32))):
        assert secret not in data
        assert secret.hex().upper() not in repr(got).upper()
        assert str(secret)[2:-1] not in repr(got)
    assert PAN not in repr(got)
    assert PAN not in str(fault(data[:-60]))


def test_the_example_of_the_page_is_what_is_written() -> None:
    page = (ROOT / "docs" / "bank-file.md").read_text(encoding="utf-8")
    example = page.partition("## An example")[2].partition("## ")[0]
    lines = [re.split(r"\s{3,}", line.strip())[0] for line in example.splitlines() if line.startswith("    ")]
    plain = PreparedCard(
        "R1", PAN, 1, DossierApplication(PAYMENT, b"PACKG", b"MODUL", b"INSTA", (DossierPart(0x9102, b"\xa5\x00"),))
    )
    assert bytes.fromhex("".join(lines)) == written(plain)


STRIPE = (f"B{PAN}^ /^3611220000001", f"{PAN}=3611220000001", "")


def striped(stripe: tuple[str, str, str] = STRIPE, **changes: object) -> PreparedCard:
    return replace(card(BANK, **changes), stripe=stripe)  # type: ignore[arg-type]


@pytest.mark.parametrize("transport", [Algorithm.TDES, Algorithm.AES256, Algorithm.SM4])
def test_a_stripe_travels_enciphered(transport: Algorithm) -> None:
    key = Secret(bytes(range(7, 39)) if transport is Algorithm.AES256 else ZMK.reveal())
    bank, bureau = party(transport, key), party(transport, key)
    data = written(replace(card(bank), stripe=STRIPE), replace(card(bank, "2"), stripe=("", "", "")), side=bank)
    assert data[4] == 2
    assert STRIPE[1].encode() not in data
    assert [one.stripe for one in read(data, bureau)[1]] == [STRIPE, ("", "", "")]


def test_cards_without_stripes_make_the_file_of_before() -> None:
    assert written(card(BANK))[4] == 1
    assert read(written(card(BANK)))[1][0].stripe == ("", "", "")


def test_a_stripe_of_another_card_is_refused_on_both_sides_and_not_shown() -> None:
    other = "6217001234567809"
    for stripe, words in (
        (("", f"{other}=3611220", ""), "the card number on the stripe is not that of the card"),
        ((f"B{other}^ /^3611220", "", ""), "the card number on the stripe is not that of the card"),
        (("", f"{PAN}D3611220", ""), "the stripe is unsound: track 2: character 17 is not one"),
        (("", "", "01=="), "the stripe is unsound"),
    ):
        with pytest.raises(BankFileError) as caught:
            written(striped(stripe))
        assert f"record 1, stripe: {words}" in str(caught.value)
        assert other not in str(caught.value)


def test_a_stripe_after_a_card_without_one_is_refused() -> None:
    with pytest.raises(
        BankFileError, match="record 2, stripe: it has a stripe, and the first card of the file has none"
    ):
        written(card(BANK), striped(reference="2"))


def test_other_data_in_place_of_the_stripe_are_not_opened() -> None:
    """Whoever writes a file could put an enciphered PIN block where the stripe is."""
    custody = BANK.custody
    pin = custody.to_transport(BANK.transport, custody.seal(BANK.seal, b"$1234", "x")).ciphertext
    with pytest.raises(
        BankFileError, match="record 7, stripe: unwrapping the tracks of a stripe: these data are something"
    ):
        bankfile_stripe.unwrapped(pin, BUREAU, 7)
    lines = custody.to_transport(BANK.transport, custody.seal(BANK.seal, TRACKS_MARK + b"1", "x")).ciphertext
    with pytest.raises(BankFileError, match="record 7, stripe: it is not three lines"):
        bankfile_stripe.unwrapped(lines, BUREAU, 7)
    with pytest.raises(BankFileError, match=r"record 7, stripe: .* the MAC is wrong"):
        bankfile_stripe.unwrapped(lines[:-1] + bytes((lines[-1] ^ 1,)), BUREAU, 7)
