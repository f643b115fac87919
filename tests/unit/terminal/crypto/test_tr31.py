"""TR-31 key blocks against psec, an independent implementation, both ways."""

from __future__ import annotations

import secrets

import pytest
from psec import tr31 as psec

from terminal.crypto import tr31
from terminal.errors import CryptoError

# psec takes triple DES from where cryptography used to keep it.
pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

KINDS = [("B", "T", 16, 16), ("B", "T", 24, 24), ("B", "T", 24, 16), ("D", "T", 16, 16), ("D", "T", 24, 24)]
KINDS += [("D", "A", 16, 16), ("D", "A", 24, 24), ("D", "A", 32, 16), ("D", "A", 32, 32)]


@pytest.mark.parametrize(("version", "algorithm", "above", "below"), KINDS)
def test_key_blocks_pass_to_psec_and_back(version: str, algorithm: str, above: int, below: int) -> None:
    protector, key = secrets.token_bytes(above), secrets.token_bytes(below)
    header = tr31.Tr31Header(version, "P0", algorithm, "B")
    ours = tr31.wrap(protector, header, key, secrets.token_bytes)
    read, unwrapped = psec.unwrap(protector, ours)
    assert unwrapped == key
    fields = (read.version_id, read.key_usage, read.algorithm, read.mode_of_use, read.exportability)
    assert fields == tuple(header)
    wanted = psec.Header(version, "P0", algorithm, "B", "00", "S")
    theirs = psec.wrap(protector, wanted, key)
    assert len(theirs) == len(ours)
    assert tr31.unwrap(protector, theirs) == (header, key)
    wanted.blocks["KS"] = "00604B120F9292800000"
    wanted.blocks["KC"] = "123456"
    assert tr31.unwrap(protector, psec.wrap(protector, wanted, key)) == (header, key)


@pytest.mark.parametrize("size", [251, 252, 300, 1000, 4000])
@pytest.mark.parametrize("version", ["B", "D"])
def test_an_optional_block_of_extended_length_is_passed_over(version: str, size: int) -> None:
    """Over 255 characters the length is 00, the number of its bytes, and the length. ANSI X9.143, 6.3.6."""
    protector, key = secrets.token_bytes(16), secrets.token_bytes(16)
    wanted = psec.Header(version, "P0", "T", "B", "00", "S")
    wanted.blocks["KS"] = "00604B120F9292800000"
    wanted.blocks["CT"] = "0" * size
    wanted.blocks["KC"] = "123456"
    block = psec.wrap(protector, wanted, key)
    assert ("CT0002" in block) == (size > 251)
    assert tr31.unwrap(protector, block) == (tr31.Tr31Header(version, "P0", "T", "B"), key)


def test_a_block_does_not_tell_the_length_of_its_key() -> None:
    lengths = {
        len(tr31.wrap(bytes(32), tr31.Tr31Header("D", "P0", "A", "B"), bytes(size), secrets.token_bytes))
        for size in (16, 24, 32)
    }
    assert len(lengths) == 1


@pytest.mark.parametrize("version", ["B", "D"])
def test_every_changed_character_is_noticed(version: str) -> None:
    protector = secrets.token_bytes(16)
    block = tr31.wrap(protector, tr31.Tr31Header(version, "P0", "T", "B"), secrets.token_bytes(16), secrets.token_bytes)
    for place, character in enumerate(block):
        with pytest.raises(CryptoError):
            tr31.unwrap(protector, block[:place] + ("1" if character != "1" else "2") + block[place + 1 :])


def test_another_protector_does_not_open_a_block() -> None:
    block = tr31.wrap(bytes(16), tr31.Tr31Header("B", "P0", "T", "B"), bytes(16), secrets.token_bytes)
    with pytest.raises(CryptoError, match="wrong MAC"):
        tr31.unwrap(b"\x10" * 16, block)
    with pytest.raises(CryptoError, match="8 bytes does not protect"):
        tr31.unwrap(bytes(8), block)


@pytest.mark.parametrize(
    ("block", "why"),
    [
        ("", "not a TR-31 key block"),
        ("B0016P0TB00S00", "not a TR-31 key block"),
        ("Bxx16P0TB00S0000", "not a TR-31 key block"),
        ("B0017P0TB00S0000", "has 16 characters, not the 17"),
        ("A0016P0TB00S0000", "version B and D are read"),
        ("B0016P0TB00S0000", "no whole number of cipher blocks"),
        ("B0034P0TB00S0000" + "00" * 9, "no whole number of cipher blocks"),
        ("B0018P0TB00S0000zz", "hexadecimal digits"),
        ("B0020P0TB00S0100KS00", "an invalid length"),
        ("B0020P0TB00S0100KSzz", "an invalid length"),
        ("B0020P0TB00S0100KS+4", "an invalid length"),
        ("B0020P0TB00S0100KS05", "an invalid length"),
        ("B0018P0TB00S0100KS", "an invalid length"),
        ("B0022P0TB00S0100KS0000", "an invalid length"),
        ("B0022P0TB00S0100KS00zz", "an invalid length"),
        ("B0022P0TB00S0100KS0002", "an invalid length"),
        ("B0026P0TB00S0100KS00020009", "an invalid length"),
        ("B0026P0TB00S0100KS0002000B", "an invalid length"),
        ("B0026P0TB00S0100KS0002FFFF", "an invalid length"),
        ("B0026P0TB00S0100KS0002000A", "no whole number of cipher blocks"),
        ("B0024P0TB00S0100KS000108", "no whole number of cipher blocks"),
        ("B0017P0TB00S0000号", "not a TR-31 key block"),
    ],
)
def test_broken_blocks_say_what_is_wrong(block: str, why: str) -> None:
    with pytest.raises(CryptoError, match=why):
        tr31.unwrap(bytes(16), block)


@pytest.mark.parametrize(("algorithm", "length"), [("T", 0), ("T", 25), ("A", 33), ("R", 16)])
def test_keys_that_no_block_holds_are_refused(algorithm: str, length: int) -> None:
    with pytest.raises(CryptoError, match=f"algorithm {algorithm} holds no key of {length} bytes"):
        tr31.wrap(bytes(16), tr31.Tr31Header("D", "P0", algorithm, "B"), bytes(length), secrets.token_bytes)


def test_a_right_mac_over_a_broken_length_is_refused() -> None:
    """A bank's faulty machine could make such a block; psec's own parts make it here."""
    protector = secrets.token_bytes(16)
    header = "B0080P0TB00S0000"
    maker = psec.KeyBlock(protector, header)
    encryption, authentication = maker._b_derive()
    for length in (0, 7, 400):
        payload = length.to_bytes(2, "big") + bytes(22)
        mac = maker._b_generate_mac(authentication, header, payload)
        body = psec._des.encrypt_tdes_cbc(encryption, mac, payload)
        with pytest.raises(CryptoError, match="holds no whole key"):
            tr31.unwrap(protector, header + (body + mac).hex().upper())
