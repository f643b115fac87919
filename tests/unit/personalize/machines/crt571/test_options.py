from __future__ import annotations

import pytest

from personalize.machines.crt571 import options
from personalize.machines.crt571.machine import open_machine
from personalize.machines.crt571.options import CardSource, Crt571Settings, machine_url, parse_rest
from terminal.errors import ReaderNotFound


def test_options_have_defaults() -> None:
    assert parse_rest("/dev/ttyUSB0") == ("/dev/ttyUSB0", Crt571Settings())
    assert machine_url("/dev/ttyUSB0", Crt571Settings()) == "crt571:/dev/ttyUSB0"


def test_options_and_url_are_inverse() -> None:
    rest = (
        "/dev/ttyS1?rate=38400&address=15&feed=exit-slot&station=antenna&start=reject&retract-counter=1"
        "&atr=protocol-last&apdu=machine&extended=1&rf=b&rf-data=4142&ack=0.5&answer=30&settle=2&gap=0.1&tries=5"
    )
    device, parsed = parse_rest(rest)
    assert (device, parsed.address, parsed.feed, parsed.rf_data) == ("/dev/ttyS1", 15, CardSource.EXIT_SLOT, "4142")
    assert machine_url(device, parsed) == f"crt571:{rest}"
    assert {key.replace("-", "_") for key in options._OPTIONS} == set(Crt571Settings.__dataclass_fields__)


@pytest.mark.parametrize(
    ("rest", "message"),
    [
        ("/dev/ttyS0?rate=115200", r"rate=115200 is not possible for crt571: \(possible: 1200 \.\.\. 38400 bit/s\)"),
        ("/dev/ttyS0?address=16", r"possible: 0 \.\.\. 15"),
        ("/dev/ttyS0?address=1.5", r"possible: 0 \.\.\. 15"),
        ("/dev/ttyS0?feed=slot", "possible: stacker, exit-slot"),
        ("/dev/ttyS0?extended=yes", "possible: 1, 0"),
        ("/dev/ttyS0?rf-data=4", "possible: bytes in hex"),
        ("/dev/ttyS0?baud=9600", r"baud is not an option of crt571: \(it has rate, address, feed, "),
        ("?rate=9600", "names no port; give one, as in crt571:/dev/ttyUSB0"),
        ("", "names no port"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_possible(rest: str, message: str) -> None:
    with pytest.raises(ReaderNotFound, match=message):
        open_machine(rest)
