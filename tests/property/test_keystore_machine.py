"""Two stations change one keystore file in any order: nothing is lost, no version number is used twice."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, precondition, rule

from terminal.errors import KeyNotFound
from terminal.keys import Algorithm, KeyRef, Purpose, SoftwareKeystore
from terminal.keys.keyfile import KdfCost
from terminal.secret import Secret
from tests.support.thorough import repeats

PASSPHRASE = Secret(b"passphrase")
NAMES = st.sampled_from(["a", "b", "c"])
STATIONS = st.sampled_from([0, 1])


class TwoStations(RuleBasedStateMachine):
    living = Bundle("living")

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        path = self.directory / "keystore"
        first = SoftwareKeystore.create(path, PASSPHRASE, simulation=True, cost=KdfCost(8, 1, 1))
        self.stations = (first, SoftwareKeystore.unlock(path, PASSPHRASE))
        self.kcvs: dict[KeyRef, bytes] = {}
        self.ever: list[KeyRef] = []

    @rule(target=living, name=NAMES, station=STATIONS, key=st.binary(min_size=32, max_size=32))
    def import_key(self, name: str, station: int, key: bytes) -> KeyRef:
        info = self.stations[station].import_key(name, Purpose.SEAL, Algorithm.AES256, Secret(key), by="x")
        assert info.ref not in self.ever
        self.ever.append(info.ref)
        self.kcvs[info.ref] = info.kcv
        return info.ref

    @rule(target=living, station=STATIONS, ref=living)
    def rotate(self, station: int, ref: KeyRef) -> KeyRef:
        if all(living.name != ref.name for living in self.kcvs):
            with pytest.raises(KeyNotFound):
                self.stations[station].rotate(ref.name, by="x")
            return ref
        info = self.stations[station].rotate(ref.name, by="x")
        assert info.ref not in self.ever
        self.ever.append(info.ref)
        self.kcvs[info.ref] = info.kcv
        return info.ref

    @precondition(lambda self: self.kcvs)
    @rule(station=STATIONS, ref=consumes(living))
    def destroy(self, station: int, ref: KeyRef) -> None:
        if ref in self.kcvs:
            self.stations[station].destroy(ref, by="x")
            del self.kcvs[ref]

    @invariant()
    def the_file_holds_what_lives(self) -> None:
        again = SoftwareKeystore.unlock(self.stations[0].path, PASSPHRASE)
        assert {info.ref: info.kcv for info in again.keys()} == self.kcvs
        assert len(again.audit()) == len(self.ever) + len(self.ever) - len(self.kcvs)

    def teardown(self) -> None:
        shutil.rmtree(self.directory)


TwoStations.TestCase.settings = settings(max_examples=repeats(15, 250), stateful_step_count=15, deadline=None)
TestTwoStations = TwoStations.TestCase
