"""Broken payment cards, each recorded once as a conversation: ``python -m tests.support.foreign.cards DIRECTORY``.

What must come of each is written by hand from the books, in the modules that ``GROUPS`` puts together; the recording
only keeps the bytes, and says where the program differs. Keys are made anew at each recording, so all files and their
CA keys (``ca.json``) belong together.
"""

from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path

from terminal.apdu import Transport
from terminal.apdu.transcript import turns
from terminal.crypto.rsa import RsaPublic
from terminal.emv.authentication.authorities import CaKey, SmCaKey
from terminal.emv.authentication.cakeys import CaStore, parse_ca_store
from terminal.errors import TransportError
from tests.support.cards.toys.emv_toy_card import AID, CA
from tests.support.foreign.form import FORM
from tests.support.foreign.holder import HOLDER
from tests.support.foreign.kit import NONE, ForeignCard
from tests.support.foreign.online import ONLINE
from tests.support.foreign.pin import ENCIPHERED, ONLINE_PIN
from tests.support.foreign.proof import PROOF
from tests.support.foreign.slow import SLOW
from tests.support.foreign.sm import CHINESE
from tests.support.foreign.toy import CA_SM, OLD_CA, REVOKED

GROUPS = (
    ("Data, lists and answers in and out of form", FORM),
    ("Card authentication with RSA", PROOF),
    ("Card authentication with SM2", CHINESE),
    ("Cardholder verification", HOLDER),
    ("An enciphered PIN for the card, a PIN for the issuer", (*ENCIPHERED, *ONLINE_PIN)),
    ("The issuer and its scripts", ONLINE),
    ("Slow cards, and cards that are pulled out", SLOW),
)
CARDS: tuple[ForeignCard, ...] = tuple(card for _, cards in GROUPS for card in cards)
INDEX = "README.md"


def ca_keys() -> str:
    """The key file that goes with a recording. One key is expired, one issuer certificate revoked under both."""
    rid = AID[:5]
    public = RsaPublic(CA.n, CA.e)
    rsa = (CaKey(rid, 1, public), CaKey(rid, OLD_CA, public, date(2025, 12, 31)))
    sm = SmCaKey(rid, 1, CA_SM.public)
    keys: list[dict[str, str]] = [
        {name: value for name, value in key.to_json().items() if value is not None} for key in rsa
    ]
    keys.append(
        {"rid": rid.hex().upper(), "index": "01", "point": sm.key.hex().upper(), "sm3": sm.checksum.hex().upper()}
    )
    fields = {
        "provenance": "Made up, together with the conversations beside it; see PROVENANCE.md.",
        "keys": keys,
        "revoked": [{"rid": rid.hex().upper(), "index": "01", "serial": REVOKED}],
    }
    return json.dumps(fields, indent=1) + "\n"


def index() -> str:
    """The table of all cards: what is wrong, the rule, and what must come of it."""
    lines = ["# Foreign payment cards: the index", ""]
    lines += [
        "Made by `python -m tests.support.foreign.cards`. A purchase of 12.34 where the outcome is offline, of 600.00"
    ]
    lines += [
        "where the issuer is asked, on 22 November 2026, at the shipped terminal. How the conversations were made:"
    ]
    lines += ["[PROVENANCE.md](PROVENANCE.md).", ""]
    for title, cards in GROUPS:
        lines += [f"## {title}", "", "| name | the card | rule | expected |", "| --- | --- | --- | --- |"]
        lines += [f"| {card.name} | {card.what} | {card.source} | {card.expected} |" for card in cards]
        lines += [""]
    return "\n".join(lines)


class Recorder:
    """The same card; records every exchange, timeouts included."""

    def __init__(self, card: Transport) -> None:
        self._card = card
        self.atr, self.protocol, self.extended_length = card.atr, card.protocol, card.extended_length
        self.exchanges: list[tuple[bytes, bytes | TransportError]] = []

    def reset(self) -> bytes:
        return self._card.reset()

    def close(self) -> None:
        self._card.close()

    def exchange(self, apdu: bytes) -> bytes:
        try:
            response = self._card.exchange(apdu)
        except TransportError as fault:
            self.exchanges.append((apdu, fault))
            raise
        self.exchanges.append((apdu, response))
        return response


def heading(card: ForeignCard) -> str:
    return f"# {card.what}\n# {card.source}\n"


def record_one(card: ForeignCard, keys: CaStore) -> tuple[str, str]:
    """The file of a conversation, and its outcome as text."""
    recorder = Recorder(card.way(card.make()))
    outcome = card.meet(recorder, keys).outcome
    settings = f"atr: {recorder.atr.hex().upper()}\nprotocol: {recorder.protocol}\nextended: no\n"
    if outcome is None:
        return heading(card) + settings + turns(recorder.exchanges), NONE
    came = f"{outcome.result}, TVR {int(outcome.tvr):010X}"
    came += ", reversal" if outcome.reversal else ""
    came += f", 9F34 {outcome.cvm_results.hex().upper()}" if card.cvm is not None else ""
    came += f", 9F5B {outcome.script_results.hex().upper()}" if outcome.scripts else ""
    return heading(card) + settings + turns(recorder.exchanges), came


def record_all(directory: Path) -> int:
    """Write every conversation; the number of unexpected outcomes, each printed on stderr."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.txt"):
        old.unlink()
    text, wrong = ca_keys(), 0
    keys = parse_ca_store(text)
    (directory / "ca.json").write_text(text, encoding="utf-8")
    (directory / INDEX).write_text(index(), encoding="utf-8")
    for card in CARDS:
        conversation, came = record_one(card, keys)
        (directory / f"{card.name}.txt").write_text(conversation, encoding="utf-8")
        if came != card.expected:
            wrong += 1
            sys.stderr.write(f"{card.name}: {came}\n  expected {card.expected}\n")
    return wrong


if __name__ == "__main__":
    sys.exit(record_all(Path(sys.argv[1])))
