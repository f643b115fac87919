"""The card side of both protocols against recorded dialogues with real chips (tests/vectors/scp.json)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from simulators.card.keyring import CardKeySet
from simulators.card.security_domain.scp02 import CardScp02
from simulators.card.security_domain.scp03 import CardScp03
from terminal.apdu import OK, Command, Response
from tests.support.paths import ROOT

VECTORS = json.loads(((ROOT / "tests") / "vectors" / "scp.json").read_text())["vectors"]
SCP02 = [v for v in VECTORS if v["protocol"] == "SCP02"]
SCP03 = [v for v in VECTORS if v["protocol"] == "SCP03"]
ISD_R = bytes.fromhex("A0000005591010FFFFFFFF8900000100")  # SGP.02: the eUICC's issuer security domain root


def parse(text: str) -> Command:
    return Command.decode(bytes.fromhex(text))


def key_set(vector: dict[str, Any], version: int) -> CardKeySet:
    return CardKeySet(version, *(bytes.fromhex(vector["keys"][name]) for name in ("enc", "mac", "dek")))


def no_random(n: int) -> bytes:
    raise AssertionError("the challenge is pseudo-random")


@pytest.mark.parametrize("vector", SCP03, ids=lambda v: f"aes{v['aes']}-level{v['security_level']}")
def test_scp03_dialogue(vector: dict[str, Any]) -> None:
    """The challenge too comes out as recorded: it is derived from key, sequence counter and AID."""
    initialize, recorded = parse(vector["initialize_update"]["command"]), vector["initialize_update"]["response"]
    counter = int(recorded[-6:], 16)
    session = CardScp03(key_set(vector, initialize.p1), aid=ISD_R, random=no_random, i=0x70, counter=counter)
    assert session.initialize_update(initialize.data).hex() == recorded
    session.external_authenticate(parse(vector["external_authenticate"]))
    assert session.level == int(vector["security_level"], 16)
    eid = vector["get_eid"]
    assert session.unwrap(parse(eid["wrapped"])) == parse(vector["commands_plain"]["get_eid"])
    response = session.wrap(Response(bytes.fromhex(eid["response_plain"]), OK))
    assert response.data.hex() == eid["response_wrapped"]
    for case, wrapped in vector["wrapped"].items():
        plain = session.unwrap(parse(wrapped))
        expected = parse(vector["commands_plain"][case])
        assert (plain.header, plain.data) == (expected.header, expected.data)


@pytest.mark.parametrize("vector", SCP02)
def test_scp02_dialogue(vector: dict[str, Any]) -> None:
    initialize, recorded = parse(vector["initialize_update"]["command"]), vector["initialize_update"]["response"]
    challenge = bytes.fromhex(recorded)[14:20]
    session = CardScp02(key_set(vector, 0x70), aid=b"", random=lambda n: challenge[:n], i=0x15, counter=1)
    assert session.initialize_update(initialize.data).hex() == recorded
    session.external_authenticate(parse(vector["external_authenticate"]))
    for turn in vector["wrapped_in_order"]:
        plain, expected = session.unwrap(parse(turn["wrapped"])), parse(turn["plain"])
        assert (plain.header, plain.data) == (expected.header, expected.data)
