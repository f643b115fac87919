"""SM2, SM3 and SM4 against gmssl's pure Python, an independent implementation."""

from __future__ import annotations

import pickle
import random
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest
from gmssl import sm3 as gmssl_sm3
from gmssl import sm4 as gmssl_sm4
from gmssl.sm2 import CryptSM2

from terminal.crypto import padding, sm2, sm4
from terminal.crypto.sm3 import sm3
from terminal.errors import CryptoError


def gmssl(key: sm2.Sm2Private) -> CryptSM2:
    oracle = CryptSM2(private_key=key.encode().hex(), public_key="")
    oracle.public_key = key.public.hex()  # its constructor strips leading digits 0 and 4, whatever they are
    return oracle


@pytest.mark.parametrize("length", [0, 1, 55, 56, 63, 64, 65, 200])
def test_sm3_agrees_with_gmssl(length: int) -> None:
    data = random.Random(length).randbytes(length)
    assert sm3(data).hex() == gmssl_sm3.sm3_hash(list(data))


@pytest.mark.parametrize("blocks", [1, 2, 9])
def test_sm4_agrees_with_gmssl(blocks: int) -> None:
    rng = random.Random(blocks)
    key, data, iv = rng.randbytes(16), rng.randbytes(16 * blocks), rng.randbytes(16)
    oracle = gmssl_sm4.CryptSM4()
    oracle.set_key(key, gmssl_sm4.SM4_ENCRYPT)
    # It pads always, by PKCS #7: what it adds comes after the blocks that are compared.
    ecb, cbc = oracle.crypt_ecb(data)[: len(data)], oracle.crypt_cbc(iv, data)[: len(data)]
    assert sm4.ecb_encrypt(key, data) == ecb
    assert sm4.ecb_decrypt(key, ecb) == data
    assert sm4.cbc_encrypt(key, data, iv) == cbc
    assert sm4.cbc_decrypt(key, cbc, iv) == data


@pytest.mark.parametrize("length", [0, 15, 16, 17, 40])
def test_the_sm4_mac_pads_and_chains(length: int) -> None:
    rng = random.Random(length)
    key, data = rng.randbytes(16), rng.randbytes(length)
    oracle = gmssl_sm4.CryptSM4()
    oracle.set_key(key, gmssl_sm4.SM4_ENCRYPT)
    padded = padding.pad2(data, 16)
    assert sm4.mac(key, data) == oracle.crypt_cbc(bytes(16), padded)[: len(padded)][-16:]


def test_sm4_refuses_other_keys_blocks_and_ivs() -> None:
    with pytest.raises(CryptoError, match="an SM4 key has 16 bytes, not 24"):
        sm4.mac(bytes(24), b"")
    with pytest.raises(CryptoError, match="no whole number of 16-byte blocks"):
        sm4.ecb_encrypt(bytes(16), bytes(8))
    with pytest.raises(CryptoError, match="IV has 16 bytes, not 8"):
        sm4.cbc_decrypt(bytes(16), bytes(16), bytes(8))


@pytest.mark.parametrize("length", [0, 14, 78, 300])
def test_sm2_signatures_pass_between_tongsuo_and_gmssl(length: int) -> None:
    key, message = sm2.generate(), random.Random(length).randbytes(length)
    signature = sm2.sign(key, message)
    assert len(signature) == sm2.SIGNATURE
    assert gmssl(key).verify_with_sm3(signature.hex(), message)
    theirs = bytes.fromhex(gmssl(key).sign_with_sm3(message, f"{random.Random(length).getrandbits(255):064x}"))
    assert sm2.verify(key.public, message, theirs)
    assert not sm2.verify(sm2.generate().public, message, theirs)


def test_sm2_any_changed_bit_spoils_a_signature() -> None:
    key = sm2.generate()
    signature = sm2.sign(key, b"benefit")
    for position in range(0, 8 * sm2.SIGNATURE, 37):
        bent = (int.from_bytes(signature, "big") ^ 1 << position).to_bytes(sm2.SIGNATURE, "big")
        assert not sm2.verify(key.public, b"benefit", bent)
    for strange in (b"", signature[:-1], signature + b"\x00", bytes(64), b"\xff" * 64):
        assert not sm2.verify(key.public, b"benefit", strange)


def test_sm2_signatures_of_the_same_message_differ() -> None:
    key = sm2.generate()
    assert len({sm2.sign(key, b"benefit") for _ in range(4)}) == 4


def test_an_sm2_key_survives_its_encoding() -> None:
    key = sm2.generate()
    again = sm2.Sm2Private.decode(key.encode())
    assert again.public == key.public == sm2.check_public(key.public)
    assert sm2.verify(key.public, b"x", sm2.sign(again, b"x"))


@pytest.mark.parametrize("d", [0, sm2.ORDER - 1, sm2.ORDER, 2**256 - 1])
def test_numbers_outside_the_range_are_no_private_keys(d: int) -> None:
    with pytest.raises(CryptoError, match="not an SM2 private key"):
        sm2.Sm2Private.decode(d.to_bytes(32, "big"))


def test_the_ends_of_the_range_are_private_keys() -> None:
    for d in (1, sm2.ORDER - 2):
        assert sm2.Sm2Private.decode(d.to_bytes(32, "big")).encode() == d.to_bytes(32, "big")


def test_a_private_key_of_another_length_is_refused() -> None:
    with pytest.raises(CryptoError, match="not an SM2 private key"):
        sm2.Sm2Private.decode(bytes(30) + b"\x01")


def test_points_off_the_curve_are_no_public_keys() -> None:
    with pytest.raises(CryptoError, match="no point of the SM2 curve"):
        sm2.verify(bytes(64), b"", bytes(64))
    with pytest.raises(CryptoError, match="64 bytes, not 65"):
        sm2.check_public(b"\x04" + sm2.generate().public)


def test_a_private_key_shows_nothing_and_stays_here() -> None:
    key = sm2.generate()
    assert repr(key) == "<Sm2Private>"
    assert not hasattr(key, "__dict__")
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)


def test_many_threads_sign_with_one_key() -> None:
    key = sm2.generate()
    messages = [index.to_bytes(2, "big") for index in range(200)]
    with ThreadPoolExecutor(8) as pool:
        signatures = list(pool.map(lambda message: sm2.sign(key, message), messages))
        right = list(pool.map(lambda pair: sm2.verify(key.public, *pair), zip(messages, signatures, strict=True)))
    assert all(right)
    assert len({signature[:32] for signature in signatures}) == len(signatures)


def test_forked_processes_do_not_draw_the_same_numbers() -> None:
    """Two signatures with one k would give the private key away: a copied random generator must notice the fork."""
    program = textwrap.dedent("""
        import os
        from terminal.crypto import sm2
        key = sm2.generate()
        sm2.sign(key, b"before")
        for _ in range(4):
            if os.fork() == 0:
                os.write(1, sm2.sign(key, b"same")[:32] + sm2.generate().public[:32])
                os._exit(0)
        for _ in range(4):
            os.wait()
        os.write(1, sm2.sign(key, b"same")[:32] + sm2.generate().public[:32])
    """)
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    drawn = [output[i : i + 32] for i in range(0, len(output), 32)]
    assert len(drawn) == 10
    assert len(set(drawn)) == 10
