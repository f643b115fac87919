"""Content management commands, PUT KEY and STORE DATA, byte for byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terminal.apdu import Command
from terminal.errors import CardMalformed, CodecError, SecureChannelError
from terminal.globalplatform import (
    Aid,
    CardLifeCycleState,
    DgiPart,
    InstallFor,
    Privileges,
    StoreDataStructure,
    content,
    storedata,
)
from terminal.globalplatform.putkey import check_answer, put_key
from terminal.keys import Algorithm, KeyRef, Sealed, WrappedSecret
from terminal.tlv import dgi

PACKAGE, MODULE = Aid("F04D454D424552"), Aid("F04D454D4245520101")
INSTANCE, DOMAIN = Aid("F04D454D424552010101"), Aid("A000000151000000")


def wire(command: Command) -> str:
    return command.encode().hex().upper()


def spaced(text: str) -> str:
    """Header and data separated by ``|`` (a case 4 command), or a whole command; Lc is computed here."""
    header, bar, data = text.replace(" ", "").partition("|")
    return header + (f"{len(data) // 2:02X}{data}00" if bar else "")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (
            content.install_for_load(PACKAGE, DOMAIN, bytes(20)),
            f"80E60200 | 07{PACKAGE} 08{DOMAIN} 14{'00' * 20} 00 00",
        ),
        (
            content.install_for_load(PACKAGE, parameters=bytes.fromhex("EF04C6020100")),
            f"80E60200 | 07{PACKAGE} 00 00 06EF04C6020100 00",
        ),
        (
            content.install(InstallFor.INSTALL_AND_MAKE_SELECTABLE, PACKAGE, MODULE, INSTANCE),
            f"80E60C00 | 07{PACKAGE} 09{MODULE} 0A{INSTANCE} 0100 02C900 00",
        ),
        (
            content.install(
                InstallFor.INSTALL, PACKAGE, MODULE, INSTANCE, Privileges.CARD_RESET, bytes.fromhex("C90101")
            ),
            f"80E60400 | 07{PACKAGE} 09{MODULE} 0A{INSTANCE} 0104 03C90101 00",
        ),
        (
            content.install(
                InstallFor.INSTALL,
                PACKAGE,
                MODULE,
                INSTANCE,
                Privileges.SECURITY_DOMAIN | Privileges.TRUSTED_PATH,
                token=b"\x01\x02",
            ),
            f"80E60400 | 07{PACKAGE} 09{MODULE} 0A{INSTANCE} 03808000 02C900 020102",
        ),
        (content.make_selectable(INSTANCE), f"80E60800 | 00 00 0A{INSTANCE} 0100 00 00"),
        (content.install_for_personalization(INSTANCE), f"80E62000 | 00 00 0A{INSTANCE} 00 00 00"),
        (content.extradite(INSTANCE, DOMAIN), f"80E61000 | 08{DOMAIN} 00 0A{INSTANCE} 00 00 00"),
        (content.registry_update(INSTANCE), f"80E64000 | 00 00 0A{INSTANCE} 00 00 00"),
        (
            content.registry_update(INSTANCE, DOMAIN, Privileges.CARD_LOCK),
            f"80E64000 | 08{DOMAIN} 00 0A{INSTANCE} 0110 00 00",
        ),
        (content.delete(INSTANCE), f"80E40000 | 4F0A{INSTANCE}"),
        (content.delete(PACKAGE, related=True, token=b"\xaa"), f"80E40080 | 4F07{PACKAGE} 9E01AA"),
        (content.delete_key(0x20), "80E40000 | D20120"),
        (content.delete_key(0x20, 1), "80E40000 | D00101 D20120"),
        (content.set_card_state(CardLifeCycleState.SECURED), "80F0800F"),
        (content.set_application_state(INSTANCE, 0x80), f"80F040800A{INSTANCE}"),
        (content.set_application_state(INSTANCE, 0x07, with_associated=True), f"80F060070A{INSTANCE}"),
    ],
)
def test_content_management_commands(command: Command, expected: str) -> None:
    assert wire(command) == spaced(expected)


def test_load_blocks_are_full_and_numbered_and_the_last_is_marked() -> None:
    commands = content.load(bytes(600), 239)
    assert [(c.p1, c.p2, len(c.data), c.ne) for c in commands] == [
        (0x00, 0, 239, 256),
        (0x00, 1, 239, 256),
        (0x80, 2, 122, 256),
    ]
    with pytest.raises(SecureChannelError, match="makes 257 blocks"):
        content.load(bytes(257), 1)


TDES = tuple(WrappedSecret(bytes((n,)) * 16, (bytes((n, n, n)),)) for n in (1, 2, 3))
AES192 = WrappedSecret(bytes(32), (bytes.fromhex("A1A2A3"),))


def test_put_key_3des_key_sets_and_single_aes_keys() -> None:
    fields = " ".join(f"80 10 {bytes((n,)).hex() * 16} 03 {bytes((n,)).hex() * 3}" for n in (1, 2, 3))
    assert wire(put_key(0x20, 0x7F, 1, Algorithm.TDES, TDES)) == spaced(f"80D87F81 | 20 {fields}")
    expected = f"80D80003 | 31 88 21 18 {'00' * 32} 03 A1A2A3"
    assert wire(put_key(0x31, 0, 3, Algorithm.AES192, (AES192,))) == spaced(expected)


def test_initial_keys_are_replaced_by_adding() -> None:
    assert put_key(0x20, 0xFF, 1, Algorithm.TDES, TDES).p1 == 0x00


@pytest.mark.parametrize(
    ("version", "replaces", "first", "algorithm"),
    [
        (0x80, 0, 1, Algorithm.TDES),
        (0, 0, 1, Algorithm.TDES),
        (1, 0x80, 1, Algorithm.TDES),
        (1, 0, 0, Algorithm.TDES),
        (1, 0, 1, Algorithm.HMAC),
    ],
)
def test_put_key_refuses_what_it_cannot_carry(version: int, replaces: int, first: int, algorithm: Algorithm) -> None:
    with pytest.raises(SecureChannelError, match="PUT KEY"):
        put_key(version, replaces, first, algorithm, TDES)


def test_put_key_wants_one_check_value_for_each_key() -> None:
    with pytest.raises(SecureChannelError, match="3 check values"):
        put_key(1, 0, 1, Algorithm.TDES, (WrappedSecret(bytes(48), (b"abc",) * 3),))


def confirms(answer: str) -> bool:
    try:
        check_answer(bytes.fromhex(answer), 0x20, TDES)
    except CardMalformed:
        return False
    return True


@pytest.mark.parametrize("answer", ["20 010101 020202 030303", "20"])
def test_a_card_may_confirm_with_or_without_check_values(answer: str) -> None:
    assert confirms(answer)
    assert not confirms(f"{answer} 00")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("", "does not confirm key version 20"),
        ("21 010101 020202 030303", "does not confirm key version 20"),
        ("20 010101 020202 030304", "check values 010101020202030304 instead of 010101020202030303"),
        ("20 010101", "check values"),
    ],
)
def test_another_confirmation_is_a_fault(answer: str, message: str) -> None:
    with pytest.raises(CardMalformed, match=message):
        check_answer(bytes.fromhex(answer), 0x20, TDES)


class Wrapping:
    """A custody that wraps by inverting every bit, with a block of 8."""

    block = 8

    def wrap_for_card(self, dek: object, secret: Sealed, *, pad: bool) -> WrappedSecret:
        plain = secret.blob + (b"\x80" + bytes(-(len(secret.blob) + 1) % 8) if pad else b"")
        return WrappedSecret(bytes(b ^ 0xFF for b in plain), ())


def sealed(value: bytes) -> Sealed:
    return Sealed(KeyRef("seal"), value, "dgi")


VALUES = st.binary(max_size=700)
PARTS = st.lists(
    st.one_of(
        st.builds(DgiPart, st.integers(0, 0xFFFF), VALUES),
        st.builds(DgiPart, st.integers(0, 0xFFFF), VALUES.map(sealed), st.booleans()),
    ),
    min_size=1,
    max_size=12,
)


@given(parts=PARTS, room=st.integers(20, 255))
def test_dgis_take_the_fewest_blocks_and_come_out_as_they_went_in(parts: list[DgiPart], room: int) -> None:
    custody = Wrapping()
    blocks = storedata.pack(parts, custody, custody, room)  # type: ignore[arg-type]
    for encrypted in (True, False):
        kind = [block.data for block in blocks if block.encrypted is encrypted]
        assert all(len(data) == room for data in kind[:-1])
        assert all(0 < len(data) <= room for data in kind)
        wanted = [
            (p.number, custody.wrap_for_card(None, p.value, pad=p.padded).ciphertext if encrypted else p.value)
            for p in parts
            if p.secret is encrypted
        ]
        assert dgi.decode(b"".join(kind)) == wanted
        assert len(kind) == -(-sum(len(dgi.encode([part])) for part in wanted) // room)
    commands = storedata.commands(blocks, StoreDataStructure.DGI)
    assert [c.p2 for c in commands] == [n & 0xFF for n in range(len(blocks))]
    assert [c.p1 & 0x80 for c in commands] == [0] * (len(blocks) - 1) + [0x80]
    assert [c.p1 & 0x60 for c in commands] == [0x60 * block.encrypted for block in blocks]
    assert all(c.p1 & 0x1F == 0x08 for c in commands)


def test_p1_of_every_kind_of_block() -> None:
    plain, secret = storedata.StoreDataBlock(b"p", False), storedata.StoreDataBlock(b"s", True)
    assert [c.p1 for c in storedata.commands([secret, secret, plain, plain], StoreDataStructure.DGI)] == [
        0x68,
        0x68,
        0x08,
        0x88,
    ]
    assert [c.p1 for c in storedata.commands([plain, secret], StoreDataStructure.DGI)] == [0x08, 0xE8]
    assert [c.p1 for c in storedata.commands([plain, plain], StoreDataStructure.BER)] == [0x10, 0x90]
    assert [c.p1 for c in storedata.commands([plain], StoreDataStructure.NONE)] == [0x80]


def test_block_numbers_wrap_after_256() -> None:
    commands = storedata.commands(storedata.blocks(bytes(300), 1), StoreDataStructure.NONE)
    assert [c.p2 for c in commands[254:258]] == [254, 255, 0, 1]


class Careless:
    number, value, secret, padded = 0x8010, b"\x24\x12\x34", True, True


def test_a_secret_value_in_clear_is_not_sent() -> None:
    custody = Wrapping()
    with pytest.raises(SecureChannelError, match="DGI 8010 is secret"):
        storedata.pack([Careless()], custody, custody, 239)  # type: ignore[arg-type]


def test_nothing_to_store_is_misuse() -> None:
    with pytest.raises(SecureChannelError, match="nothing to store"):
        storedata.commands([], StoreDataStructure.DGI)


def test_reprs_show_no_values() -> None:
    assert repr(DgiPart(0x8010, b"\x24\x12\x34")) == "<DgiPart 8010>"
    assert repr(storedata.StoreDataBlock(b"secret", True)) == "<StoreDataBlock 6 bytes, encrypted>"


@pytest.mark.parametrize("text", ["A0000001", "00" * 17, "not hex", ""])
def test_aids_have_5_to_16_bytes(text: str) -> None:
    with pytest.raises(CodecError, match="AID"):
        Aid(text)


def test_aids_print_as_hex() -> None:
    assert (str(PACKAGE), repr(PACKAGE), PACKAGE.rid) == ("F04D454D424552", "Aid('F04D454D424552')", PACKAGE[:5])
