"""Session keys and cryptograms against recorded dialogues with real cards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from terminal.crypto import aes, des, padding
from terminal.keys import (
    Algorithm,
    Diversification,
    MemoryCustody,
    OpenSession,
    Purpose,
    Scp,
    SessionRequest,
)
from terminal.secret import Secret

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "scp.json").read_text())["vectors"]
AES = {128: Algorithm.AES128, 256: Algorithm.AES256}


def name(vector: dict[str, Any]) -> str:
    return f"{vector['protocol']}-{vector.get('aes', 'tdes')}-{vector['security_level']}"


def opened(vector: dict[str, Any]) -> tuple[OpenSession, bytes]:
    """The session of a recorded dialogue, and the card cryptogram that the card sent."""
    custody = MemoryCustody(simulation=True)
    scp02 = vector["protocol"] == "SCP02"
    algorithm = Algorithm.TDES if scp02 else AES[vector["aes"]]
    enc, mac, dek = (Secret(bytes.fromhex(vector["keys"][k])) for k in ("enc", "mac", "dek"))
    ref = custody.import_key_set("card", Purpose.KMC, algorithm, (enc, mac, dek), by="test").ref
    command = bytes.fromhex(vector["initialize_update"]["command"])
    answer = bytes.fromhex(vector["initialize_update"]["response"])
    host = command[5:13]
    if scp02:
        request = SessionRequest(Scp.SCP02, 0x15, host, answer[14:20], answer[12:14])
        cryptogram = answer[20:28]
    else:
        request = SessionRequest(Scp.SCP03, answer[12], host, answer[13:21], answer[29:32])
        cryptogram = answer[21:29]
    keys = custody.card_keys(ref, Diversification.NONE, b"", answer[10])
    return custody.open_session(keys, request), cryptogram


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_cryptograms_are_those_of_the_recorded_dialogue(vector: dict[str, Any]) -> None:
    session, card_cryptogram = opened(vector)
    external_authenticate = bytes.fromhex(vector["external_authenticate"])
    assert session.card_cryptogram == card_cryptogram
    assert session.host_cryptogram == external_authenticate[5:13]


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_external_authenticate_carries_the_mac_of_the_session_key(vector: dict[str, Any]) -> None:
    session, _ = opened(vector)
    apdu = bytes.fromhex(vector["external_authenticate"])
    mac = session.mac.reveal()
    if vector["protocol"] == "SCP02":
        assert des.retail_mac(mac, padding.pad2(apdu[:13], 8)) == apdu[13:]
    else:
        assert aes.cmac(mac, bytes(16) + apdu[:13])[:8] == apdu[13:]


@pytest.mark.parametrize("vector", [v for v in VECTORS if v["protocol"] == "SCP03"], ids=name)
def test_scp03_commands_chain_their_macs_under_the_session_key(vector: dict[str, Any]) -> None:
    session, _ = opened(vector)
    apdus = [vector["get_eid"]["wrapped"], *(vector["wrapped"][f"case_{n}"] for n in (1, 2, 3, 4))]
    first = bytes.fromhex(vector["external_authenticate"])
    chaining = aes.cmac(session.mac.reveal(), bytes(16) + first[:13])
    for apdu in map(bytes.fromhex, apdus):
        body = apdu[: 5 + apdu[4]]
        chaining = aes.cmac(session.mac.reveal(), chaining + body[:-8])
        assert chaining[:8] == body[-8:]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["protocol"] == "SCP03" and v["security_level"] != "11"], ids=name
)
def test_scp03_command_data_decrypt_under_the_session_key(vector: dict[str, Any]) -> None:
    session, _ = opened(vector)
    enc = session.enc.reveal()
    wrapped = bytes.fromhex(vector["get_eid"]["wrapped"])
    iv = aes.ecb_encrypt(enc, (1).to_bytes(16, "big"))
    plain = padding.unpad2(aes.cbc_decrypt(enc, wrapped[5 : 5 + wrapped[4] - 8], iv), 16)
    assert plain == bytes.fromhex(vector["commands_plain"]["get_eid"])[5:-1]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["protocol"] == "SCP03" and v["security_level"] == "33"], ids=name
)
def test_scp03_responses_decrypt_and_verify_under_the_session_keys(vector: dict[str, Any]) -> None:
    session, _ = opened(vector)
    response = bytes.fromhex(vector["get_eid"]["response_wrapped"])
    command = bytes.fromhex(vector["get_eid"]["wrapped"])
    first = bytes.fromhex(vector["external_authenticate"])
    chaining = aes.cmac(session.mac.reveal(), bytes(16) + first[:13])
    chaining = aes.cmac(session.mac.reveal(), chaining + command[: 5 + command[4] - 8])
    assert aes.cmac(session.rmac.reveal(), chaining + response[:-8] + b"\x90\x00")[:8] == response[-8:]
    enc = session.enc.reveal()
    iv = aes.ecb_encrypt(enc, b"\x80" + (1).to_bytes(15, "big"))
    plain = padding.unpad2(aes.cbc_decrypt(enc, response[:-8], iv), 16)
    assert plain == bytes.fromhex(vector["get_eid"]["response_plain"])


def test_scp02_commands_chain_their_macs_under_the_session_key() -> None:
    (vector,) = (v for v in VECTORS if v["protocol"] == "SCP02")
    session, _ = opened(vector)
    mac = session.mac.reveal()
    icv = bytes.fromhex(vector["external_authenticate"])[13:]
    for turn in vector["wrapped_in_order"]:
        plain, wrapped = bytes.fromhex(turn["plain"]), bytes.fromhex(turn["wrapped"])
        data = plain[5 : 5 + plain[4]] if len(plain) > 5 else b""
        body = bytes((0x84, *plain[1:4], len(data) + 8)) + data
        icv = des.retail_mac(mac, padding.pad2(body, 8), des.ecb_encrypt(mac[:8], icv))
        assert wrapped[len(body) : len(body) + 8] == icv
