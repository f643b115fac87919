"""Recorded dialogues between real chips and a public tool, replayed byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from terminal.apdu import Command, Transcript, stack
from terminal.globalplatform import (
    C_ENC,
    C_MAC,
    AuthenticationGuard,
    HostAuthentication,
    SecureChannel,
    SecurityLevel,
    open_channel,
)
from terminal.globalplatform.scp02 import Scp02
from terminal.keys import Algorithm, CardKeys, Diversification, MemoryCustody, OpenSession, Purpose, Scp
from terminal.secret import Secret

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parent / "scp.json").read_text())["vectors"]
AES = {128: Algorithm.AES128, 192: Algorithm.AES192, 256: Algorithm.AES256}
OK = "9000"


def name(vector: dict[str, Any]) -> str:
    return f"{vector['protocol']}-{vector.get('aes', '3des')}-{vector['security_level']}"


def turns(vector: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Plain command, wrapped command and wrapped response, in the recorded order."""
    if "wrapped_in_order" in vector:
        return [(turn["plain"], turn["wrapped"], OK) for turn in vector["wrapped_in_order"]]
    eid = vector["get_eid"]
    first = (vector["commands_plain"]["get_eid"], eid["wrapped"], eid["response_wrapped"] + OK)
    # The recording has no responses to the four cases; an error status is what travels without protection.
    rest = [(vector["commands_plain"][case], wrapped, "6A88") for case, wrapped in vector["wrapped"].items()]
    return [first, *rest]


def channel(vector: dict[str, Any], card: Transcript) -> SecureChannel:
    custody = MemoryCustody(simulation=True)
    algorithm = AES[vector["aes"]] if "aes" in vector else Algorithm.TDES
    keys = tuple(Secret(bytes.fromhex(vector["keys"][part])) for part in ("enc", "mac", "dek"))
    master = custody.import_key_set("kmc", Purpose.KMC, algorithm, keys, by="vectors").ref
    initialize = Command.decode(bytes.fromhex(vector["initialize_update"]["command"]))

    def find(update: Any) -> CardKeys:
        return custody.card_keys(master, Diversification.NONE, update.key_data, update.version)

    wanted = HostAuthentication(find, SecurityLevel(int(vector["security_level"], 16)), initialize.p1)
    return open_channel(stack(card), wanted, custody, AuthenticationGuard(), random=lambda n: initialize.data)


def transcript(vector: dict[str, Any]) -> Transcript:
    update = vector["initialize_update"]
    handshake = [(update["command"], update["response"] + OK), (vector["external_authenticate"], OK)]
    return Transcript(*handshake, *((wrapped, answer) for _, wrapped, answer in turns(vector)))


@pytest.mark.parametrize("vector", VECTORS, ids=name)
def test_every_command_is_wrapped_and_every_response_unwrapped_as_recorded(vector: dict[str, Any]) -> None:
    with transcript(vector) as card:
        session = channel(vector, card)
        assert session.update.scp is Scp(vector["protocol"][-2:])
        answers = [session.send(Command.decode(bytes.fromhex(plain))) for plain, _, _ in turns(vector)]
    assert session.closed is False
    if "get_eid" in vector:
        assert answers[0].data.hex() == vector["get_eid"]["response_plain"]
        assert answers[0].sw.ok


def test_the_file_holds_both_protocols_and_all_recorded_levels() -> None:
    assert [name(vector) for vector in VECTORS] == [
        "SCP02-3des-01",
        "SCP03-128-11",
        "SCP03-128-03",
        "SCP03-128-33",
        "SCP03-256-33",
    ]


class NoDek:
    block = 8


@pytest.mark.parametrize(("level", "wrapped"), [(C_MAC, "c_mac"), (C_ENC, "c_mac_c_decryption")])
def test_scp02_commands_of_every_padding_are_wrapped_as_another_host_does(level: SecurityLevel, wrapped: str) -> None:
    figures = json.loads((Path(__file__).parent / "scp02-wrapping.json").read_text())
    key = Secret(bytes.fromhex(figures["key"]))
    session = Scp02(OpenSession(key, key, key, NoDek(), b"", b""), 0x15, level)
    commands = [Command.decode(bytes.fromhex(plain)) for plain in figures["plain"]]
    assert [session.wrap(command).encode().hex() for command in commands] == figures[wrapped]
