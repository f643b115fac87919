"""Key check values: three bytes by which keys are compared without being shown."""

from __future__ import annotations

from terminal.crypto import aes, des, sm4

LENGTH = 3


def des_kcv(key: bytes) -> bytes:
    """Three bytes of the key's encryption of eight 00. GPC 2.3.1, B.5."""
    return des.ecb_encrypt(key, bytes(des.BLOCK))[:LENGTH]


def aes_kcv(key: bytes) -> bytes:
    """Three bytes of the key's encryption of sixteen 01. GPC 2.3.1 Amendment D 1.2, 7.2."""
    return aes.ecb_encrypt(key, b"\x01" * aes.BLOCK)[:LENGTH]


def sm4_kcv(key: bytes) -> bytes:
    """Three bytes of the key's encryption of sixteen 00. JR/T 0025 with SM4, as used by personalization bureaus."""
    return sm4.ecb_encrypt(key, bytes(sm4.BLOCK))[:LENGTH]
