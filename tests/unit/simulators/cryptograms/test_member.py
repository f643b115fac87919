"""Cryptogram, script MAC and encipherment of the member application against pyemv."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyemv import ac, kd, sm

from simulators.cryptograms.member import decipher_script, redemption_cryptogram, redemption_script_mac
from terminal.errors import CodecError, CryptoError

pytestmark = pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")

KEY = bytes(range(0x10, 0x20))
keys, two = st.binary(min_size=16, max_size=16), st.binary(min_size=2, max_size=2)


@given(key=keys, atc=two, data=st.binary(min_size=1, max_size=90))
def test_a_cryptogram_is_that_of_pyemv(key: bytes, atc: bytes, data: bytes) -> None:
    assert redemption_cryptogram(key, atc, data) == ac.generate_ac(kd.derive_common_sk(key, atc + bytes(6)), data)


@given(key=keys, atc=two, counter=two, header=st.binary(min_size=5, max_size=5), data=st.binary(max_size=90))
def test_a_script_mac_is_that_of_pyemv(key: bytes, atc: bytes, counter: bytes, header: bytes, data: bytes) -> None:
    session = kd.derive_common_sk(key, atc + b"\x00" + counter + bytes(3))
    expected = sm.generate_command_mac(session, header + atc + counter + data)
    assert redemption_script_mac(key, atc, counter, header, data) == expected


@given(key=keys, atc=two, counter=two, data=st.binary(max_size=40))
def test_what_pyemv_enciphers_is_deciphered(key: bytes, atc: bytes, counter: bytes, data: bytes) -> None:
    session = kd.derive_common_sk(key, atc + b"\x00" + counter + bytes(3))
    secret = sm.encrypt_command_data(session, data, sm.EncryptionType.EMV)
    assert decipher_script(key, atc, counter, secret) == data


def test_data_that_were_not_enciphered_so_are_refused() -> None:
    with pytest.raises(CryptoError):
        decipher_script(KEY, bytes(2), bytes(2), bytes(16))
    with pytest.raises(CryptoError):
        decipher_script(KEY, bytes(2), bytes(2), bytes(15))


def test_counters_of_another_length_are_refused() -> None:
    with pytest.raises(CodecError):
        redemption_cryptogram(KEY, bytes(1), b"\x01")
    with pytest.raises(CodecError):
        redemption_script_mac(KEY, bytes(2), bytes(3), bytes(5), b"")
