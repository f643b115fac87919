"""A virtual card: a chip with non-volatile memory, link and operating system, in RAM or in a card file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from simulators.applets.rom import ROM, RomApplet
from simulators.card.cardfile import CardFile
from simulators.card.config import CardConfig
from simulators.card.content import CardLifeCycle, CardRegistry
from simulators.card.keyring import AES, DES, Key, KeyRing
from simulators.card.link import CardLink
from simulators.card.memory import MemoryDamaged, MemoryImage, Nvm, PowerLost, RamImage, Tear
from simulators.card.meter import WorkMeter
from simulators.card.security_domain.domain import IssuerSecurityDomain
from simulators.card.system import System
from terminal.apdu import LinkProtocol


class VirtualCard:
    """One chip: command APDU bytes to response APDU bytes. It is off until ``power_on``; its memory outlasts the power.

    ``meter`` holds the work of the last exchange. ``tear`` may cut the power at any page write (see
    simulators.card.memory.Tear): ``exchange`` then raises PowerLost and the card is off. Raises PowerLost also for an
    exchange with a card that is off; MemoryDamaged, CardInUse, ReaderNotFound and ReaderFault from the card file.
    Not for use by several threads at once.
    """

    def __init__(
        self,
        image: MemoryImage,
        *,
        rom: Sequence[RomApplet] = ROM,
        random: Callable[[int], bytes] = os.urandom,
        protocol: LinkProtocol | None = None,
    ) -> None:
        """Use ``create`` or ``open``. ``rom`` holds the applets that the chip can run; ``protocol`` selects another
        interface than that of the card file, as a dual-interface card allows."""
        self._protocol = protocol
        self.meter = WorkMeter()
        self._file = image if isinstance(image, CardFile) else None
        self._nvm = Nvm(image)
        self._modules = {row.module: row.applet for row in rom}
        self._random = random
        self._system: System | None = None
        self._link: CardLink | None = None
        self._nvm.load(repair=False)
        self.config = self._read_config()

    @classmethod
    def create(
        cls,
        path: Path | None,
        config: CardConfig,
        *,
        rom: Sequence[RomApplet] = ROM,
        random: Callable[[int], bytes] = os.urandom,
        sync: bool = False,
    ) -> VirtualCard:
        """A blank chip in a new card file, or in RAM without a path. Raises FileExistsError."""
        blank = RamImage()
        _manufacture(Nvm(blank), config, rom)
        image: MemoryImage = blank if path is None else CardFile.create(path, blank.read(), sync=sync)
        return cls(image, rom=rom, random=random)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        rom: Sequence[RomApplet] = ROM,
        random: Callable[[int], bytes] = os.urandom,
        sync: bool = False,
        protocol: LinkProtocol | None = None,
    ) -> VirtualCard:
        """The chip in a card file; not locked before ``power_on``, so that a powered chip can be inspected."""
        return cls(CardFile(path, sync=sync), rom=rom, random=random, protocol=protocol)

    @property
    def powered(self) -> bool:
        return self._system is not None

    @property
    def chip_serial(self) -> str:
        return self.config.chip.chip_serial

    @property
    def atr(self) -> bytes:
        return self.config.atr

    @property
    def tear(self) -> Tear | None:
        return self._nvm.tear

    @tear.setter
    def tear(self, tear: Tear | None) -> None:
        self._nvm.tear = tear

    @property
    def state(self) -> CardLifeCycle:
        """The card life cycle, also without power."""
        return CardLifeCycle(self._nvm.scope("card")["state"][0])

    @property
    def registry(self) -> CardRegistry:
        """Load files and instances on the card, for inspection."""
        return self._system.registry if self._system else CardRegistry(self._nvm.scope("registry"))

    @property
    def key_versions(self) -> list[int]:
        """Versions of the key sets of the issuer security domain."""
        return KeyRing(self._nvm.scope("isd"), self.config.max_tries).versions

    def power_on(self) -> bytes:
        """Cold reset: recover the memory and start the operating system. Returns the ATR."""
        if self._system is None:
            # Another process may have written the file since, and a tear leaves an incomplete batch to cut off.
            changed = self._file is not None and self._file.lock()
            if changed or self._nvm.torn:
                self._load()
            self._start()
        else:
            self.reset()
        return self.atr

    def reset(self) -> bytes:
        """Warm reset: all volatile state is cleared. Returns the ATR."""
        if self._system is None:
            raise PowerLost("the card has no power")
        self._start()
        return self.atr

    def power_off(self) -> None:
        """Power the card off; safe to call twice."""
        self._system = self._link = None
        if self._file is not None:
            self._file.unlock()

    def exchange(self, apdu: bytes) -> bytes:
        """One command APDU to one response APDU. Raises PowerLost when the power fails during it."""
        link = self._link
        if link is None:
            raise PowerLost("the card has no power")
        meter, nvm = self.meter, self._nvm
        pages = nvm.pages_written
        meter.start(len(apdu))
        try:
            response = link.exchange(apdu)
        except PowerLost:
            self.power_off()
            raise
        meter.bytes_out = len(response)
        meter.pages += nvm.pages_written - pages
        return response

    def __repr__(self) -> str:
        return f"<VirtualCard {self.chip_serial}, {'on' if self.powered else 'off'}>"

    def _start(self) -> None:
        self._system = System(self._nvm, self.config, self._modules, self._random, self.meter, IssuerSecurityDomain)
        self._link = CardLink(self.config.protocol, self._system.execute)

    def _load(self) -> None:
        try:
            self._nvm.load()
            self.config = self._read_config()
        except BaseException:
            self.power_off()
            raise

    def _read_config(self) -> CardConfig:
        try:
            config = CardConfig.decode(self._nvm.scope("card")["config"])
        except (KeyError, TypeError, ValueError) as error:
            raise MemoryDamaged("the card's memory holds no chip identity") from error
        return replace(config, protocol=self._protocol) if self._protocol else config


def _manufacture(nvm: Nvm, config: CardConfig, rom: Sequence[RomApplet]) -> None:
    """Write the memory of a blank chip. EMV CPS 1.1, 2.1 (the state of a card before personalization)."""
    stock = config.stock_keys()
    kind = DES if config.scp == 2 else AES
    keys = [Key(n, kind, value) for n, value in enumerate((stock.enc, stock.mac, stock.dek), 1)]
    with nvm.transaction():
        card = nvm.scope("card")
        card["config"] = config.encode()
        card["state"] = bytes((CardLifeCycle.OP_READY,))
        ring = KeyRing(nvm.scope("isd"), config.max_tries)
        ring.put(stock.version, keys)
        for version in config.beside:
            ring.put(version, [Key(1, kind, bytes(version ^ place for place in range(16)))])
        registry = CardRegistry(nvm.scope("registry"))
        for row in rom:
            registry.add(row.load_file)
