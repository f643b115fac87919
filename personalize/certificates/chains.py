"""The certificate chains that all cards of a run share: an issuer key certified by a scheme CA."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from personalize.certificates import sm_certificates
from personalize.certificates.rsa_certificates import IssuedCertificate, issuer_certificate
from personalize.errors import PrepareError
from terminal.keys import KeyCustody, KeyRef


@dataclass(frozen=True, slots=True)
class RsaIssuingChain:
    """An RSA chain. ``issuer_size`` is the modulus length in bytes."""

    issuer: KeyRef
    issuer_size: int
    certificate: IssuedCertificate
    expires: date


@dataclass(frozen=True, slots=True)
class SmIssuingChain:
    """An SM2 chain. ``certificate`` is tag 90 as it stands on every card."""

    issuer: KeyRef
    certificate: bytes
    expires: date


@dataclass(frozen=True, slots=True)
class IssuingChains:
    """The chains of the member application and, where there is one, of the payment application."""

    member: RsaIssuingChain
    payment: RsaIssuingChain | None = None
    payment_sm: SmIssuingChain | None = None


def rsa_chain(custody: KeyCustody, ca_key: str, issuer_key: str, *, identifier: str, expires: date) -> RsaIssuingChain:
    """Certify the newest issuer key of this name with the newest CA key. Raises CustodyError, PrepareError."""
    ca, issuer = custody.latest(ca_key), custody.latest(issuer_key)
    ca_info, issuer_info = custody.info(ca), custody.info(issuer)
    if issuer_info.modulus is None or issuer_info.exponent is None:
        raise PrepareError(f"the issuer key {issuer} is not an RSA key")
    certificate = issuer_certificate(
        lambda message: custody.sign(ca, message),
        ca_info.bits // 8,
        issuer_info.modulus,
        issuer_info.exponent,
        identifier=identifier[:8],
        expires=expires,
        serial=issuer.version,
    )
    return RsaIssuingChain(issuer, issuer_info.bits // 8, certificate, expires)


def sm_chain(custody: KeyCustody, ca_key: str, issuer_key: str, *, identifier: str, expires: date) -> SmIssuingChain:
    """Certify the newest SM2 issuer key with the newest SM2 CA key. Raises CustodyError, PrepareError."""
    ca, issuer = custody.latest(ca_key), custody.latest(issuer_key)
    public = custody.info(issuer).point
    if public is None:
        raise PrepareError(f"the issuer key {issuer} is not an SM2 key")
    certificate = sm_certificates.issuer_certificate(
        lambda message: custody.sign_sm2(ca, message),
        public,
        identifier=identifier[:8],
        expires=expires,
        serial=issuer.version,
    )
    return SmIssuingChain(issuer, certificate, expires)
