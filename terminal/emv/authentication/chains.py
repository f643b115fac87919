"""From the scheme CA key over the issuer's certificate to the card's keys: once with RSA, once with SM2.

A chain works on what is known of the card (``state.card``) and verifies a link when it is first asked for. Every method
raises OdaFailed; what the card should have and has not is ``Check.DATA``. EMV 4.4 Book 2, 5, 6, 7.1; JR/T 0025.17.
"""

from __future__ import annotations

import hashlib
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Final, Protocol

from terminal.crypto.rsa import RsaPublic
from terminal.crypto.sm3 import sm3
from terminal.emv.authentication import rsa as oda
from terminal.emv.authentication import sm2 as oda_sm
from terminal.emv.authentication.cakeys import CaStore
from terminal.emv.authentication.rsa import Check, DynamicData, OdaFailed, Signed
from terminal.emv.data.records import static_data
from terminal.emv.selection.application import CardRecords, card_number
from terminal.emv.transaction.state import TransactionState
from terminal.errors import TlvError

SM_SUPPORT: Final = 0xDF69
"""Terminal SM support indicator: 01 where the terminal can do SM2, SM3 and SM4. JR/T 0025.17."""
_PAN, _AIP, _TAG_LIST, _CA_INDEX, _STATIC = 0x5A, 0x82, 0x9F4A, 0x8F, 0x93
_ISSUER, _ISSUER_REMAINDER, _ISSUER_EXPONENT = 0x90, 0x92, 0x9F32
_ICC, _ICC_EXPONENT, _ICC_REMAINDER = 0x9F46, 0x9F47, 0x9F48
_PIN, _PIN_EXPONENT, _PIN_REMAINDER = 0x9F2D, 0x9F2E, 0x9F2F


class OdaAlgorithm(StrEnum):
    """What the card's certificates are made with."""

    RSA = "RSA"
    SM2 = "SM2"


class Chain(Protocol):
    """The links of one card."""

    algorithm: OdaAlgorithm
    hash_size: int

    def prove_static(self) -> bytes:
        """Verify the static signature (93); the data authentication code. EMV 4.4 Book 2, 5."""
        ...

    def prove_card_key(self) -> None:
        """Verify both certificates, and with the card's the static data. EMV 4.4 Book 2, 6.4."""
        ...

    def dynamic(self, signature: bytes, terminal_data: bytes) -> DynamicData:
        """Verify a dynamic signature (9F4B) over the terminal's data. EMV 4.4 Book 2, 6.5.2, 6.6.2."""
        ...

    def hash(self, data: bytes) -> bytes:
        """The hash that a CDA signature has over the transaction data."""
        ...

    def pin_key(self) -> RsaPublic:
        """The key that a PIN is enciphered under. EMV 4.4 Book 2, 7.1."""
        ...


class _Links:
    """What both chains take from the card."""

    def __init__(self, state: TransactionState, records: CardRecords, store: CaStore, today: date) -> None:
        self._card = state.card
        self._records = records
        self._store = store
        self._today = today
        self._rid = (state.aid or b"")[:5]
        self._pan = card_number(state.card.get(_PAN, b"")) or ""

    def _need(self, what: Signed, tag: int) -> bytes:
        value = self._card.get(tag)
        if value is None:
            raise OdaFailed(what, Check.DATA, f"{tag:02X}")
        return value

    def _index(self) -> int:
        index = self._need(Signed.ISSUER, _CA_INDEX)
        if len(index) != 1:
            raise OdaFailed(Signed.ISSUER, Check.CA_KEY, "its index is not one byte")
        return index[0]

    def _static(self, what: Signed) -> bytes:
        if self._records.unfit is not None:
            raise OdaFailed(what, Check.HASH, self._records.unfit)
        try:
            return static_data(self._records.records, aip=self._card.get(_AIP, b""), tag_list=self._card.get(_TAG_LIST))
        except TlvError as fault:
            raise OdaFailed(what, Check.TAG_LIST, str(fault)) from None


class RsaChain(_Links):
    """Certificates with message recovery. EMV 4.4 Book 2, 5 to 7."""

    algorithm = OdaAlgorithm.RSA
    hash_size = 20

    @cached_property
    def _issuer(self) -> RsaPublic:
        index = self._index()
        authority = self._store.rsa_key(self._rid, index, self._today)
        found = oda.issuer_key(
            authority.key,
            self._need(Signed.ISSUER, _ISSUER),
            remainder=self._card.get(_ISSUER_REMAINDER, b""),
            exponent=self._need(Signed.ISSUER, _ISSUER_EXPONENT),
            pan=self._pan,
            at=self._today,
        )
        self._store.check_revocation(self._rid, index, found.serial)
        return found.key

    @cached_property
    def _icc(self) -> RsaPublic:
        return self._certified(_ICC, _ICC_REMAINDER, _ICC_EXPONENT, self._static(Signed.ICC))

    def _certified(self, certificate: int, remainder: int, exponent: int, static: bytes) -> RsaPublic:
        return oda.icc_key(
            self._issuer,
            self._need(Signed.ICC, certificate),
            remainder=self._card.get(remainder, b""),
            exponent=self._need(Signed.ICC, exponent),
            pan=self._pan,
            static=static,
            at=self._today,
        ).key

    def prove_static(self) -> bytes:
        signature = self._need(Signed.STATIC, _STATIC)
        return oda.static_signature(self._issuer, signature, static=self._static(Signed.STATIC))

    def prove_card_key(self) -> None:
        _ = self._icc

    def dynamic(self, signature: bytes, terminal_data: bytes) -> DynamicData:
        return oda.dynamic_signature(self._icc, signature, terminal_data=terminal_data)

    def hash(self, data: bytes) -> bytes:
        return hashlib.sha1(data, usedforsecurity=False).digest()

    def pin_key(self) -> RsaPublic:
        """The PIN encipherment key where the card has all of one (9F2D, 9F2E), else the card's key."""
        if _PIN in self._card and _PIN_EXPONENT in self._card:
            return self._certified(_PIN, _PIN_REMAINDER, _PIN_EXPONENT, b"")
        return self._icc


class SmChain(_Links):
    """Plain certificates with an SM2 signature. JR/T 0025.17."""

    algorithm = OdaAlgorithm.SM2
    hash_size = 32

    @cached_property
    def _issuer(self) -> bytes:
        index = self._index()
        authority = self._store.sm_key(self._rid, index, self._today)
        certificate = self._need(Signed.ISSUER, _ISSUER)
        found = oda_sm.issuer_key(authority.key, certificate, pan=self._pan, at=self._today)
        self._store.check_revocation(self._rid, index, found.serial)
        return found.key

    @cached_property
    def _icc(self) -> bytes:
        certificate, static = self._need(Signed.ICC, _ICC), self._static(Signed.ICC)
        return oda_sm.icc_key(self._issuer, certificate, pan=self._pan, static=static, at=self._today).key

    def prove_static(self) -> bytes:
        signature = self._need(Signed.STATIC, _STATIC)
        return oda_sm.static_signature(self._issuer, signature, static=self._static(Signed.STATIC))

    def prove_card_key(self) -> None:
        _ = self._icc

    def dynamic(self, signature: bytes, terminal_data: bytes) -> DynamicData:
        return oda_sm.dynamic_signature(self._icc, signature, terminal_data=terminal_data)

    def hash(self, data: bytes) -> bytes:
        return sm3(data)

    def pin_key(self) -> RsaPublic:
        """No published way to encipher a PIN with SM2 for a card is known, so there is none."""
        raise OdaFailed(Signed.ICC, Check.KEY_ALGORITHM, "a PIN is not enciphered with SM2")


def chain_for(state: TransactionState, records: CardRecords, store: CaStore, today: date) -> Chain:
    """SM2 where the terminal said that it can (DF69) and the issuer certificate is one of SM2, else RSA."""
    certificate = state.card.get(_ISSUER, b"")
    sm_certificate = len(certificate) == oda_sm.ISSUER_CERTIFICATE and certificate[0] == oda_sm.ISSUER_FORMAT
    if state.terminal.get(SM_SUPPORT) == b"\x01" and sm_certificate:
        return SmChain(state, records, store, today)
    return RsaChain(state, records, store, today)
