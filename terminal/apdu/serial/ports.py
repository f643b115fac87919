"""What is known of a serial port of this computer before it is opened."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SerialPortInfo:
    """A port. ``description`` is what the system calls it, ``hardware`` its vendor and product, such as ``0403:6001``;
    each empty where the system does not say. The URL of a chip reader there is ``serial:DEVICE``."""

    device: str
    description: str = ""
    hardware: str = ""

    @property
    def url(self) -> str:
        return f"serial:{self.device}"
