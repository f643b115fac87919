"""The certificate chain from scheme CA over issuer to card, with RSA and with SM2.

A chain works on the card's data (``state.card``) and verifies a certificate when it is first needed. Every method
raises OdaFailed; missing card data are ``Check.DATA``. EMV 4.4 Book 2, 5, 6, 7.1; JR/T 0025.17.
"""

from __future__ import annotations

import hashlib
from datetime import date
from enum import StrEnum
from functools import cached_property
from typing import Protocol

from terminal.crypto.rsa import RsaPublic
from terminal.crypto.sm3 import sm3
from terminal.emv.authentication import rsa as oda
from terminal.emv.authentication import sm2 as oda_sm
from terminal.emv.authentication.cakeys import CaStore
from terminal.emv.authentication.rsa import Check, DynamicData, OdaFailed, Signed
from terminal.emv.data.records import static_data
from terminal.emv.data.tags import (
    TAG_5A_PAN,
    TAG_8F_CA_KEY_INDEX,
    TAG_9F2D_ICC_PIN_CERTIFICATE,
    TAG_9F2E_ICC_PIN_EXPONENT,
    TAG_9F2F_ICC_PIN_REMAINDER,
    TAG_9F4A_STATIC_TAG_LIST,
    TAG_9F32_ISSUER_EXPONENT,
    TAG_9F46_ICC_CERTIFICATE,
    TAG_9F47_ICC_EXPONENT,
    TAG_9F48_ICC_REMAINDER,
    TAG_82_AIP,
    TAG_90_ISSUER_CERTIFICATE,
    TAG_92_ISSUER_REMAINDER,
    TAG_93_SIGNED_STATIC_DATA,
    TAG_DF69_SM_INDICATOR,
)
from terminal.emv.selection.application import CardRecords, card_number
from terminal.emv.transaction.state import TransactionState
from terminal.errors import TlvError


class OdaAlgorithm(StrEnum):
    """Algorithms of the card's certificates."""

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
        """The hash over the transaction data in a CDA signature."""
        ...

    def pin_key(self) -> RsaPublic:
        """The key that a PIN is enciphered under. EMV 4.4 Book 2, 7.1."""
        ...


class _Links:
    """The card data that both chains use."""

    def __init__(self, state: TransactionState, records: CardRecords, store: CaStore, today: date) -> None:
        self._card = state.card
        self._records = records
        self._store = store
        self._today = today
        self._rid = (state.aid or b"")[:5]
        self._pan = card_number(state.card.get(TAG_5A_PAN, b"")) or ""

    def _need(self, kind: Signed, tag: int) -> bytes:
        value = self._card.get(tag)
        if value is None:
            raise OdaFailed(kind, Check.DATA, f"{tag:02X}")
        return value

    def _index(self) -> int:
        index = self._need(Signed.ISSUER, TAG_8F_CA_KEY_INDEX)
        if len(index) != 1:
            raise OdaFailed(Signed.ISSUER, Check.CA_KEY, "its index is not one byte")
        return index[0]

    def _static(self, kind: Signed) -> bytes:
        if self._records.unfit is not None:
            raise OdaFailed(kind, Check.HASH, self._records.unfit)
        try:
            return static_data(
                self._records.records,
                aip=self._card.get(TAG_82_AIP, b""),
                tag_list=self._card.get(TAG_9F4A_STATIC_TAG_LIST),
            )
        except TlvError as fault:
            raise OdaFailed(kind, Check.TAG_LIST, str(fault)) from None


class RsaChain(_Links):
    """Certificates with message recovery. EMV 4.4 Book 2, 5 to 7."""

    algorithm = OdaAlgorithm.RSA
    hash_size = 20

    @cached_property
    def _issuer(self) -> RsaPublic:
        index = self._index()
        authority = self._store.rsa_key(self._rid, index, self._today)
        issuer = oda.issuer_key(
            authority.key,
            self._need(Signed.ISSUER, TAG_90_ISSUER_CERTIFICATE),
            remainder=self._card.get(TAG_92_ISSUER_REMAINDER, b""),
            exponent=self._need(Signed.ISSUER, TAG_9F32_ISSUER_EXPONENT),
            pan=self._pan,
            at=self._today,
        )
        self._store.check_revocation(self._rid, index, issuer.serial)
        return issuer.key

    @cached_property
    def _icc(self) -> RsaPublic:
        return self._certified(
            TAG_9F46_ICC_CERTIFICATE, TAG_9F48_ICC_REMAINDER, TAG_9F47_ICC_EXPONENT, self._static(Signed.ICC)
        )

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
        signature = self._need(Signed.STATIC, TAG_93_SIGNED_STATIC_DATA)
        return oda.static_signature(self._issuer, signature, static=self._static(Signed.STATIC))

    def prove_card_key(self) -> None:
        _ = self._icc

    def dynamic(self, signature: bytes, terminal_data: bytes) -> DynamicData:
        return oda.dynamic_signature(self._icc, signature, terminal_data=terminal_data)

    def hash(self, data: bytes) -> bytes:
        return hashlib.sha1(data, usedforsecurity=False).digest()

    def pin_key(self) -> RsaPublic:
        """The PIN encipherment key where the card has one complete (9F2D, 9F2E), else the card's key."""
        if TAG_9F2D_ICC_PIN_CERTIFICATE in self._card and TAG_9F2E_ICC_PIN_EXPONENT in self._card:
            return self._certified(
                TAG_9F2D_ICC_PIN_CERTIFICATE, TAG_9F2F_ICC_PIN_REMAINDER, TAG_9F2E_ICC_PIN_EXPONENT, b""
            )
        return self._icc


class SmChain(_Links):
    """Plain certificates with an SM2 signature. JR/T 0025.17."""

    algorithm = OdaAlgorithm.SM2
    hash_size = 32

    @cached_property
    def _issuer(self) -> bytes:
        index = self._index()
        authority = self._store.sm_key(self._rid, index, self._today)
        certificate = self._need(Signed.ISSUER, TAG_90_ISSUER_CERTIFICATE)
        issuer = oda_sm.issuer_key(authority.key, certificate, pan=self._pan, at=self._today)
        self._store.check_revocation(self._rid, index, issuer.serial)
        return issuer.key

    @cached_property
    def _icc(self) -> bytes:
        certificate, static = self._need(Signed.ICC, TAG_9F46_ICC_CERTIFICATE), self._static(Signed.ICC)
        return oda_sm.icc_key(self._issuer, certificate, pan=self._pan, static=static, at=self._today).key

    def prove_static(self) -> bytes:
        signature = self._need(Signed.STATIC, TAG_93_SIGNED_STATIC_DATA)
        return oda_sm.static_signature(self._issuer, signature, static=self._static(Signed.STATIC))

    def prove_card_key(self) -> None:
        _ = self._icc

    def dynamic(self, signature: bytes, terminal_data: bytes) -> DynamicData:
        return oda_sm.dynamic_signature(self._icc, signature, terminal_data=terminal_data)

    def hash(self, data: bytes) -> bytes:
        return sm3(data)

    def pin_key(self) -> RsaPublic:
        """Always OdaFailed: no method to encipher a PIN with SM2 for a card is published."""
        raise OdaFailed(Signed.ICC, Check.KEY_ALGORITHM, "a PIN is not enciphered with SM2")


def chain_for(state: TransactionState, records: CardRecords, store: CaStore, today: date) -> Chain:
    """SM2 where the terminal supports it (DF69) and the issuer certificate is an SM2 certificate, else RSA."""
    certificate = state.card.get(TAG_90_ISSUER_CERTIFICATE, b"")
    sm_certificate = len(certificate) == oda_sm.ISSUER_CERTIFICATE and certificate[0] == oda_sm.ISSUER_FORMAT
    if state.terminal.get(TAG_DF69_SM_INDICATOR) == b"\x01" and sm_certificate:
        return SmChain(state, records, store, today)
    return RsaChain(state, records, store, today)
