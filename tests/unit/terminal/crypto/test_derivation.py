from __future__ import annotations

import random

import pyemv.kd
import pytest
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode

from terminal.crypto import kcv, kdf
from terminal.errors import CryptoError

old_ways = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")


@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.parametrize("bits", [64, 128, 192, 256, 384])
def test_counter_kdf_agrees_with_the_cryptography_library(size: int, bits: int) -> None:
    rng = random.Random(size + bits)
    key, context = rng.randbytes(size), rng.randbytes(16)
    before = bytes(11) + b"\x06\x00" + bits.to_bytes(2, "big")
    oracle = KBKDFCMAC(
        algorithm=AES,
        mode=Mode.CounterMode,
        length=bits // 8,
        rlen=1,
        llen=None,
        location=CounterLocation.MiddleFixed,
        break_location=len(before),
        label=None,
        context=None,
        fixed=before + context,
    )
    assert kdf.cmac_counter(key, 0x06, context, bits) == oracle.derive(key)


@pytest.mark.parametrize("bits", [0, -8, 63, 0x8000, 0x10000])
def test_lengths_that_are_no_bytes_are_refused(bits: int) -> None:
    with pytest.raises(CryptoError, match="cannot be derived"):
        kdf.cmac_counter(bytes(16), 0, b"", bits)
    with pytest.raises(CryptoError, match="cannot be derived"):
        kdf.kdf3(bytes(16), 1, b"", bits)


@old_ways
@pytest.mark.parametrize("length", range(8, 20))
def test_application_keys_agree_with_pyemv(length: int) -> None:
    rng = random.Random(length)
    for _ in range(20):
        pan = "".join(rng.choices("0123456789", k=length))
        sequence, masters = rng.randrange(100), [rng.randbytes(16) for _ in range(3)]
        derive = pyemv.kd.derive_icc_mk_a if length <= 16 else pyemv.kd.derive_icc_mk_b
        assert kdf.udks(masters, pan, sequence) == [derive(master, pan, f"{sequence:02d}") for master in masters]


@old_ways
def test_option_b_draws_on_letters_when_digits_run_out() -> None:
    # Among a thousand hashes some have fewer than sixteen decimal digits, the rare second step of option B.
    rng = random.Random(0)
    for _ in range(1000):
        pan = "".join(rng.choices("0123456789", k=19))
        assert kdf.udks([bytes(range(16))], pan, 0) == [pyemv.kd.derive_icc_mk_b(bytes(range(16)), pan, "00")]


@pytest.mark.parametrize(
    ("master", "pan", "sequence"),
    [(bytes(24), "1234", 0), (bytes(16), "12a4", 0), (bytes(16), "", 0), (bytes(16), "１２", 0), (bytes(16), "1", 100)],
)
def test_application_keys_need_digits_and_a_sequence(master: bytes, pan: str, sequence: int) -> None:
    with pytest.raises(CryptoError):
        kdf.udks([bytes(16), master], pan, sequence)


def test_check_values_of_the_published_test_key() -> None:
    key = bytes(range(0x40, 0x50))
    assert kcv.des_kcv(key).hex().upper() == "8BAF47"
    assert kcv.aes_kcv(key).hex().upper() == "504A77"
