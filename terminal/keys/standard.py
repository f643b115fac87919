"""The standard keys of an issuer, generated together: by `keys init`, the demo and the tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from terminal.keys.custody import Algorithm, KeyInfo, Purpose
from terminal.keys.management import KeyManagement
from terminal.keys.published import GP_TEST_KEY
from terminal.secret import Secret


@dataclass(frozen=True, slots=True)
class StandardKey:
    """One key of the issuer; ``bits`` and ``exponent`` are for RSA only."""

    name: str
    purpose: Purpose
    algorithm: Algorithm
    bits: int = 0
    exponent: int = 3


STOCK_KEYS = (
    StandardKey("kmc", Purpose.KMC, Algorithm.TDES),
    StandardKey("kmc-aes", Purpose.KMC, Algorithm.AES128),
)
"""Masters of blank stock for SCP02 and SCP03 chips, supplied by the card supplier."""

OWN_KEYS = (
    StandardKey("imk-card", Purpose.CARD, Algorithm.TDES),
    StandardKey("imk-card-aes", Purpose.CARD, Algorithm.AES128),
    StandardKey("imk-read", Purpose.READ, Algorithm.AES128),
    StandardKey("imk-ac", Purpose.AC, Algorithm.TDES),
    StandardKey("imk-smi", Purpose.SMI, Algorithm.TDES),
    StandardKey("imk-smc", Purpose.SMC, Algorithm.TDES),
    # EMV has CA keys of up to 1984 bits; exponent 3 keeps certificates short and terminals fast.
    StandardKey("scheme-ca", Purpose.SIGN_CA, Algorithm.RSA, 1984),
    StandardKey("issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, 1408),
    StandardKey("list-signer", Purpose.SIGN_LIST, Algorithm.RSA, 2048, 65537),
    # Signatures of 64 bytes: an e-card fits a QR code.
    StandardKey("ecard-issuer", Purpose.SIGN_ISSUER, Algorithm.SM2),
    StandardKey("seal", Purpose.SEAL, Algorithm.AES256),
    StandardKey("index", Purpose.INDEX, Algorithm.HMAC),
    StandardKey("pay-ac", Purpose.AC, Algorithm.TDES),
    StandardKey("pay-smi", Purpose.SMI, Algorithm.TDES),
    StandardKey("pay-smc", Purpose.SMC, Algorithm.TDES),
    StandardKey("pay-ac-sm4", Purpose.AC, Algorithm.SM4),
    StandardKey("pay-smi-sm4", Purpose.SMI, Algorithm.SM4),
    StandardKey("pay-smc-sm4", Purpose.SMC, Algorithm.SM4),
    StandardKey("pay-ca", Purpose.SIGN_CA, Algorithm.RSA, 1984),
    StandardKey("pay-issuer", Purpose.SIGN_ISSUER, Algorithm.RSA, 1408),
    StandardKey("pay-ca-sm2", Purpose.SIGN_CA, Algorithm.SM2),
    StandardKey("pay-issuer-sm2", Purpose.SIGN_ISSUER, Algorithm.SM2),
    StandardKey("pek", Purpose.PIN, Algorithm.TDES),
    StandardKey("pek-aes", Purpose.PIN, Algorithm.AES128),
    StandardKey("pek-sm4", Purpose.PIN, Algorithm.SM4),
    StandardKey("pay-cvk", Purpose.CVK, Algorithm.TDES),
    StandardKey("zmk", Purpose.TRANSPORT, Algorithm.TDES),
    StandardKey("zmk-sm4", Purpose.TRANSPORT, Algorithm.SM4),
)
"""Keys that the issuer generates."""


def create_standard_keys(custody: KeyManagement, *, by: str) -> Sequence[KeyInfo]:
    """Generate every own key; in simulation, import the published test key as stock masters too.

    In production the supplier's stock masters are imported separately. Raises KeyRefused when a name is in use.
    """
    infos = [_generate(custody, key, by) for key in OWN_KEYS]
    if custody.simulation:
        test_key = Secret(GP_TEST_KEY)
        infos += [custody.import_key(k.name, k.purpose, k.algorithm, test_key, by=by) for k in STOCK_KEYS]
    return infos


def add_standard_keys(custody: KeyManagement, *, by: str) -> Sequence[KeyInfo]:
    """Generate the own keys that a custodian of an earlier version lacks.

    Raises KeyRefused when another process generates the same key at the same time.
    """
    present = {info.ref.name for info in custody.keys()}
    return [_generate(custody, key, by) for key in OWN_KEYS if key.name not in present]


def _generate(custody: KeyManagement, key: StandardKey, by: str) -> KeyInfo:
    return custody.generate(key.name, key.purpose, key.algorithm, by=by, bits=key.bits, exponent=key.exponent)
