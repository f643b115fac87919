"""The parts of the PC/SC transport that need no service: names, options, faults, properties, deadlines."""

from __future__ import annotations

import threading
import time

import pytest
from smartcard import scard

from terminal.apdu.pcsc.codes import SERVICE_LOST, fault
from terminal.apdu.pcsc.features import FEATURE_REQUEST, supports_extended_length
from terminal.apdu.pcsc.names import ReaderNames, base_name, choose
from terminal.apdu.pcsc.url import parse_rest, reader_url
from terminal.apdu.pcsc.watchdog import Watchdog, on_own_thread
from terminal.errors import CardGone, NoCard, ReaderBusy, ReaderFault, ReaderNotFound, TransportError
from tests.support.waiting import PATIENCE


class TestNames:
    @pytest.mark.parametrize(
        ("system", "name"),
        [
            ("ACS ACR122U PICC Interface 00 00", "ACS ACR122U PICC Interface"),
            ("Gemalto PC Twin Reader (5A2B3C4D) 02 00", "Gemalto PC Twin Reader (5A2B3C4D)"),
            ("HID Omnikey 5422 [Smartcard Reader] (KI07) 01 0A", "HID Omnikey 5422 [Smartcard Reader] (KI07) slot 11"),
            ("Virtual PCD 00 01", "Virtual PCD slot 2"),
            ("Broadcom Corp Contacted SmartCard 0", "Broadcom Corp Contacted SmartCard 0"),
        ],
    )  # fmt: skip
    def test_plug_order_is_no_part_of_a_name(self, system: str, name: str) -> None:
        assert base_name(system) == name

    def test_equal_readers_have_distinct_and_stable_names(self) -> None:
        names = ReaderNames()
        assert names.assign(["R 00 00", "R 01 00"]) == {"R 00 00": "R", "R 01 00": "R #2"}
        assert names.assign(["R 01 00"]) == {"R 01 00": "R #2"}
        assert names.assign(["R 01 00", "R 02 00"]) == {"R 01 00": "R #2", "R 02 00": "R"}

    def test_a_re_plug_with_another_number_gives_the_same_name(self) -> None:
        names = ReaderNames()
        assert names.assign(["R (77) 00 00", "S 01 00"])["R (77) 00 00"] == "R (77)"
        names.assign(["S 01 00"])
        assert names.assign(["S 01 00", "R (77) 02 00"])["R (77) 02 00"] == "R (77)"

    @pytest.mark.parametrize(("wanted", "chosen"), [("1", "Omnikey B"), ("Omnikey", "Omnikey"), ("acr", "ACR122")])
    def test_choosing(self, wanted: str, chosen: str) -> None:
        assert choose(wanted, ["Omnikey", "Omnikey B", "ACR122"]) == chosen

    @pytest.mark.parametrize(
        ("wanted", "message"),
        [
            ("omni", "more than one reader: Omnikey; Omnikey B"),
            ("7", "no reader number 7; present: 0: Omnikey"),
            ("SCM", "no reader 'SCM'"),
            ("", "no reader ''"),
        ],
    )
    def test_choosing_none_or_many(self, wanted: str, message: str) -> None:
        with pytest.raises(ReaderNotFound, match=message):
            choose(wanted, ["Omnikey", "Omnikey B", "ACR122"])

    def test_options_and_url_are_inverse(self) -> None:
        assert parse_rest("R") == ("R", False, 30.0)
        url = reader_url("R", share=True, deadline=2.5)
        assert url == "pcsc:R?share=1&deadline=2.5"
        assert parse_rest(url.removeprefix("pcsc:")) == ("R", True, 2.5)
        assert parse_rest("R?") == ("R", False, 30.0)
        assert parse_rest("Which?") == ("Which", False, 30.0)
        assert parse_rest("Which? One") == ("Which? One", False, 30.0)
        assert parse_rest("Which? One?share=1") == ("Which? One", True, 30.0)

    @pytest.mark.parametrize(
        "tail", ["deadline=\u00b2", "deadline=0", "deadline=-1", "deadline=1e9", "share=yes", "x=1"]
    )
    def test_other_options_are_named(self, tail: str) -> None:
        with pytest.raises(ReaderNotFound, match="is not an option of pcsc"):
            parse_rest(f"R?{tail}")


class TestFaults:
    def test_every_code_of_the_library_has_a_sentence(self) -> None:
        codes = {
            name: getattr(scard, name) & 0xFFFFFFFF
            for name in dir(scard)
            if name.startswith(("SCARD_E_", "SCARD_W_", "SCARD_F_"))
        }
        assert len(codes) > 40
        for name, code in codes.items():
            error = fault(code, "connecting")
            assert isinstance(error, TransportError)
            assert str(error).startswith("connecting: "), name
            assert f"{code:08X}" in str(error)

    @pytest.mark.parametrize(
        ("name", "kind"),
        [
            ("SCARD_E_NO_SERVICE", ReaderFault),
            ("SCARD_E_SHARING_VIOLATION", ReaderBusy),
            ("SCARD_E_NO_SMARTCARD", NoCard),
            ("SCARD_W_UNRESPONSIVE_CARD", NoCard),
            ("SCARD_W_REMOVED_CARD", CardGone),
            ("SCARD_W_RESET_CARD", CardGone),
            ("SCARD_E_NO_READERS_AVAILABLE", ReaderNotFound),
        ],
    )
    def test_kinds(self, name: str, kind: type[TransportError]) -> None:
        assert type(fault(getattr(scard, name) & 0xFFFFFFFF, "x")) is kind

    def test_a_service_that_is_not_running_says_what_to_do(self) -> None:
        assert "apt-get install pcscd" in str(fault(scard.SCARD_E_NO_SERVICE & 0xFFFFFFFF, "x"))
        assert scard.SCARD_E_NO_SERVICE & 0xFFFFFFFF in SERVICE_LOST
        assert scard.SCARD_W_REMOVED_CARD & 0xFFFFFFFF not in SERVICE_LOST


class TestExtendedLength:
    @pytest.mark.parametrize(
        ("property_value", "able"),
        [("0A0400000100", True), ("0A0400010000", False), ("0A0400000000", False), ("", True)],
    )
    def test_by_the_largest_apdu(self, property_value: str, able: bool) -> None:
        answers = {
            FEATURE_REQUEST: bytes.fromhex("0604423300011204 42330012"),
            0x42330012: bytes.fromhex(property_value),
        }
        assert supports_extended_length(answers.__getitem__) is able

    @pytest.mark.parametrize("answer", ["", "0604", "120142"])
    def test_a_reader_that_says_nothing_is_taken_to_be_able(self, answer: str) -> None:
        assert supports_extended_length({FEATURE_REQUEST: bytes.fromhex(answer)}.__getitem__)

    def test_the_control_code_is_that_of_the_library(self) -> None:
        assert scard.SCARD_CTL_CODE(3400) == FEATURE_REQUEST


class TestWatchdog:
    def test_cuts_what_overruns(self) -> None:
        cut = threading.Event()
        dog = Watchdog(0.05, cut.set)
        dog.due = time.monotonic() + 0.05
        assert cut.wait(PATIENCE)
        assert dog.fired
        dog.close()

    def test_does_not_interrupt_a_call_in_time(self) -> None:
        cut = threading.Event()
        dog = Watchdog(0.05, cut.set)
        dog.due = time.monotonic() + 0.5
        dog.due = None
        time.sleep(0.6)
        assert not cut.is_set()
        assert not dog.fired
        dog.close()

    def test_a_pause_of_the_machine_uses_up_no_time_of_a_call(self) -> None:
        cut, paused = threading.Event(), 0.0

        def ticks() -> float:
            return time.monotonic() + paused

        dog = Watchdog(1.0, cut.set, ticks=ticks)
        time.sleep(0.5)  # so that it looks once while the call has half of its time left
        begun = time.monotonic()
        dog.due = ticks() + 1.0
        paused = 3600.0
        assert cut.wait(PATIENCE)
        assert time.monotonic() - begun > 0.9
        dog.close()

    def test_own_thread(self) -> None:
        assert on_own_thread(lambda a, b: a + b, 5, late=None)(1, 2) == 3
        forever = threading.Event()
        assert on_own_thread(forever.wait, 0.02, late="late")() == "late"
        forever.set()
