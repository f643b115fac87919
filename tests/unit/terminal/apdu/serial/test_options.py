from __future__ import annotations

import pytest

from terminal.apdu.serial.options import (
    Echo,
    PresenceLine,
    ResetLine,
    SerialOptions,
    WantedProtocol,
    parse_rest,
    serial_url,
)
from terminal.errors import ReaderNotFound


def test_options_have_defaults() -> None:
    assert parse_rest("/dev/ttyUSB0") == parse_rest("/dev/ttyUSB0?") == ("/dev/ttyUSB0", SerialOptions())
    assert serial_url("/dev/ttyUSB0", SerialOptions()) == "serial:/dev/ttyUSB0"


def test_options_and_url_are_inverse() -> None:
    rest = "/dev/ttyS1?rts=low&present=cts-low&echo=0&clock=6000000&rate=57600&protocol=1&deadline=2.5"
    device, options = parse_rest(rest)
    assert device == "/dev/ttyS1"
    assert options == SerialOptions(
        ResetLine.LOW, PresenceLine.CTS_LOW, Echo.NO, 6e6, 57600.0, WantedProtocol.T1, deadline=2.5
    )
    assert serial_url(device, options) == f"serial:{rest}"
    assert parse_rest("/dev/ttyS1?clock=3.579545e6")[1].clock == 3579545.0


def test_a_device_may_have_a_question_mark_of_its_own() -> None:
    url = serial_url("/dev/what?", SerialOptions())
    assert parse_rest(url.removeprefix("serial:"))[0] == "/dev/what?"


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("/dev/ttyS0?rts=up", r"rts=up is not possible for serial: \(possible: high, low, none\)"),
        ("/dev/ttyS0?present=dcd", "possible: none, cts, cts-low, dsr, dsr-low"),
        ("/dev/ttyS0?echo=yes", "possible: auto, 1, 0"),
        ("/dev/ttyS0?clock=3.57", r"possible: 1e6 \.\.\. 20e6 Hz"),
        ("/dev/ttyS0?clock=nan", r"possible: 1e6 \.\.\. 20e6 Hz"),
        ("/dev/ttyS0?rate=0", r"possible: 1200 \.\.\. 4000000 bit/s"),
        ("/dev/ttyS0?protocol=T1", "possible: auto, 0, 1"),
        ("/dev/ttyS0?deadline=-1", r"possible: 0\.1 \.\.\. 3600 s"),
        ("/dev/ttyS0?deadline=\u00b2", r"possible: 0\.1 \.\.\. 3600 s"),
        ("/dev/ttyS0?baud=9600", r"baud is not an option of serial: \(it has rts, present, echo, clock, rate"),
        ("/dev/ttyS0?fast", "fast is not an option of serial:"),
        ("/dev/ttyS0?rts", "rts= is not possible for serial:"),
        ("/dev/ttyS0?rts=low&rts=high", "rts is given twice"),
        ("", "names no port"),
        ("?rts=low", "names no port"),
        ("/dev/\0", "names no port"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_allowed(rest: str, message: str) -> None:
    with pytest.raises(ReaderNotFound, match=message):
        parse_rest(rest)
