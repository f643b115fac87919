from __future__ import annotations

import copy
import dataclasses
import pickle
import random
import subprocess
from pathlib import Path

import gmpy2
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding as pkcs1
from cryptography.hazmat.primitives.asymmetric import rsa as library

from terminal.crypto import rsa
from terminal.errors import CryptoError


@pytest.fixture(scope="module", params=[(1024, 3), (1152, 65537)], ids=str)
def key(request: pytest.FixtureRequest) -> rsa.RsaPrivate:
    return rsa.generate(*request.param)


def as_library_key(key: rsa.RsaPrivate) -> library.RSAPrivateKey:
    d = pow(key.e, -1, (key.p - 1) * (key.q - 1))
    public = library.RSAPublicNumbers(key.e, key.n)
    return library.RSAPrivateNumbers(key.p, key.q, d, key.dp, key.dq, key.qinv, public).private_key()


def test_generated_numbers_belong_together(key: rsa.RsaPrivate) -> None:
    assert key.p > key.q
    assert gmpy2.is_prime(key.p)
    assert gmpy2.is_prime(key.q)
    assert key.n == key.p * key.q
    assert key.n.bit_length() in (1024, 1152)
    assert key.e * key.dp % (key.p - 1) == 1
    assert key.e * key.dq % (key.q - 1) == 1
    assert key.qinv * key.q % key.p == 1


def test_signing_agrees_with_openssl(key: rsa.RsaPrivate, tmp_path: Path) -> None:
    pem = tmp_path / "key.pem"
    pem.write_bytes(
        as_library_key(key).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    message = b"\x6a" + random.Random(1).randbytes(key.public.size - 2) + b"\xbc"
    message = (int.from_bytes(message, "big") % key.n).to_bytes(key.public.size, "big")
    command = ["openssl", "pkeyutl", "-decrypt", "-inkey", str(pem), "-pkeyopt", "rsa_padding_mode:none"]
    signature = subprocess.run(command, input=message, capture_output=True, check=True).stdout
    assert rsa.private(key, message) == signature
    assert rsa.public(key.public, signature) == message


def test_public_power_opens_a_signature_of_the_cryptography_library(key: rsa.RsaPrivate) -> None:
    signature = as_library_key(key).sign(b"text", pkcs1.PKCS1v15(), hashes.SHA256())
    assert rsa.public(key.public, signature).startswith(b"\x00\x01\xff\xff")


def test_components_have_fixed_length_and_dgi_order(key: rsa.RsaPrivate) -> None:
    parts = key.components
    assert {len(part) for part in parts} == {key.public.size // 2}
    numbers = [int.from_bytes(part, "big") for part in parts]
    assert numbers == [key.qinv, key.dq, key.dp, key.q, key.p]


def test_short_components_keep_their_leading_zeros() -> None:
    small = rsa.RsaPrivate.from_primes(251, 241, 7)
    assert all(len(part) == 1 for part in small.components)
    assert rsa.RsaPrivate.decode(small.encode()) == small


def test_encoding_round_trips(key: rsa.RsaPrivate) -> None:
    assert rsa.RsaPrivate.decode(key.encode()) == key


@pytest.mark.parametrize("data", [b"", bytes(4), bytes(5), bytes(132), b"\x00\x00\x00\x03" + bytes(63) + b"\x07" * 65])
def test_other_bytes_are_no_key(data: bytes) -> None:
    with pytest.raises(CryptoError):
        rsa.RsaPrivate.decode(data)


@pytest.mark.parametrize(("bits", "exponent"), [(512, 3), (1000, 3), (1032, 3), (1024, 5), (1024, 1)])
def test_unfit_sizes_and_exponents_are_refused(bits: int, exponent: int) -> None:
    with pytest.raises(CryptoError, match="no RSA key of"):
        rsa.generate(bits, exponent)


def test_messages_of_other_length_or_above_the_modulus_are_refused(key: rsa.RsaPrivate) -> None:
    for message in (b"", bytes(key.public.size - 1), bytes(key.public.size + 1), b"\xff" * key.public.size):
        with pytest.raises(CryptoError, match="smaller than the modulus"):
            rsa.private(key, message)
        with pytest.raises(CryptoError, match="smaller than the modulus"):
            rsa.public(key.public, message)


def test_a_faulty_half_never_leaves_as_a_signature(key: rsa.RsaPrivate) -> None:
    broken = dataclasses.replace(key, dp=key.dp ^ 4)
    with pytest.raises(CryptoError, match="its own check"):
        rsa.private(broken, b"\x00" * (key.public.size - 1) + b"\x02")


def test_private_keys_do_not_show_themselves(key: rsa.RsaPrivate) -> None:
    shown = f"{key!r} {key} {key.components!r} {key.components}"
    for number in (key.p, key.q, key.dp, key.dq, key.qinv):
        assert str(number) not in shown
        assert f"{number:x}" not in shown.lower()
    with pytest.raises(TypeError, match="not pickled"):
        pickle.dumps(key)
    with pytest.raises(TypeError, match="not pickled"):
        copy.deepcopy(key)
