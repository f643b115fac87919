"""A whole session with the virtual card: from blank stock to a personalized chip with the issuer's keys."""

from __future__ import annotations

import pytest

from simulators.card.config import CardConfig, ProductionData
from simulators.card.config import KeyDiversification as Stock
from terminal.apdu import LinkProtocol, Response, StatusWord, Transcript, stack
from terminal.crypto import padding
from terminal.errors import (
    AuthenticationRefused,
    CardMalformed,
    CardRefused,
    IntegrityError,
    NotGenuine,
    SecureChannelError,
)
from terminal.globalplatform import (
    C_ENC,
    C_MAC,
    FULL,
    ISD_AID,
    Aid,
    AuthenticationGuard,
    CapFile,
    CardLifeCycleState,
    DgiPart,
    HostAuthentication,
    Privileges,
    SecurityDomain,
    SecurityLevel,
    StatusScope,
    StoreDataStructure,
    keys_from_master,
)
from terminal.keys import GP_TEST_KEY, Algorithm, CardKeys, Diversification, KeyRef, MemoryCustody, Purpose, Scp
from terminal.secret import Secret
from tests.support.cards.cap_builder import cap_file
from tests.support.cards.card_slot import Slot
from tests.support.cards.member_specimen import MEMBER_AID, specimen

PACKAGE, MEMBER = Aid("F04D454D424552"), Aid(MEMBER_AID)
CHIP = ProductionData(serial=0x00C0FFEE, batch=7, fabrication_date=0x6326)
PADDED = {0x0501, 0x8010, 0x8201, 0x8202, 0x8203, 0x8204, 0x8205}
KINDS = [(2, LinkProtocol.T0), (2, LinkProtocol.T1), (3, LinkProtocol.T0), (3, LinkProtocol.T1)]


class Station:
    """A card, its security domain and the keys for both."""

    def __init__(self, scp: int, protocol: LinkProtocol = LinkProtocol.T1, **config: object) -> None:
        settings = {"chip": CHIP, "scp": scp, "protocol": protocol} | config
        self.slot = Slot(CardConfig(**settings))  # type: ignore[arg-type]
        self.custody = MemoryCustody(simulation=True)
        self.algorithm = Algorithm.TDES if scp == 2 else Algorithm.AES128
        self.kmc = self.custody.import_key("kmc", Purpose.KMC, self.algorithm, Secret(GP_TEST_KEY), by="t").ref
        self.imk = self.custody.generate("imk-card", Purpose.CARD, self.algorithm, by="t").ref
        self.seal = self.custody.generate("seal", Purpose.SEAL, Algorithm.AES256, by="t").ref
        self.guard = AuthenticationGuard()
        self.domain = SecurityDomain(stack(self.slot), self.custody, self.guard)

    def wanted(
        self,
        level: SecurityLevel = C_ENC,
        method: Diversification = Diversification.NONE,
        master: KeyRef | None = None,
        version: int = 0,
    ) -> HostAuthentication:
        return HostAuthentication(keys_from_master(self.custody, master or self.kmc, method), level, version)

    def open(self, level: SecurityLevel = C_ENC) -> SecurityDomain:
        self.domain.select()
        self.domain.authenticate(self.wanted(level))
        return self.domain

    def parts(self) -> list[DgiPart]:
        """The specimen member card; secret values come sealed, as a dossier has them."""
        data = specimen(bits=1024)
        parts = []
        for number, value in data.groups.items():
            if number not in data.secret:
                parts.append(DgiPart(number, value))
                continue
            plain = padding.unpad2(value, 8) if number in PADDED else value
            parts.append(DgiPart(number, self.custody.seal(self.seal, plain, "dgi"), padded=number in PADDED))
        return parts


@pytest.mark.parametrize(("scp", "protocol"), KINDS)
def test_what_a_blank_chip_tells(scp: int, protocol: LinkProtocol) -> None:
    station = Station(scp, protocol)
    domain = station.domain
    assert domain.select()[:1] == b"\x6f"
    assert domain.chip() == domain.cplc().chip_serial == "632600C0FFEE00074790"
    assert (scp, 0x55 if scp == 2 else 0x70) in domain.recognition().protocols
    keys = domain.key_information()
    assert [(key.identifier, key.version) for key in keys] == [(n, 0xFF if scp == 2 else 0x30) for n in (1, 2, 3)]
    assert {key.components for key in keys} == {((0x80 if scp == 2 else 0x88, 16),)}
    assert domain.get_data(0x5F50) is None
    (own,) = station.open().status(StatusScope.ISSUER_DOMAIN)
    assert (own.aid, own.state_name) == (ISD_AID, "OP_READY")
    assert own.privileges & Privileges.SECURITY_DOMAIN
    assert domain.status(StatusScope.APPLICATIONS) == []
    assert PACKAGE in [entry.aid for entry in domain.status(StatusScope.LOAD_FILES)]
    modules = {entry.aid: entry.modules for entry in domain.status(StatusScope.LOAD_FILES_AND_MODULES)}
    assert modules[PACKAGE] == (MEMBER,)


LEVELS = {2: [C_MAC, C_ENC], 3: [C_MAC, C_ENC, C_MAC | SecurityLevel.R_MAC, C_ENC | SecurityLevel.R_MAC, FULL]}


@pytest.mark.parametrize(("scp", "protocol", "level"), [(*kind, level) for kind in KINDS for level in LEVELS[kind[0]]])
def test_a_chip_is_personalized_rekeyed_and_locked(scp: int, protocol: LinkProtocol, level: SecurityLevel) -> None:
    station = Station(scp, protocol)
    domain = station.open(level)
    domain.install(PACKAGE, MEMBER, MEMBER)
    (instance,) = domain.status(StatusScope.APPLICATIONS)
    assert (instance.aid, instance.state_name) == (MEMBER, "SELECTABLE")
    seen: list[tuple[int, int]] = []
    count = domain.personalize(MEMBER, station.parts(), acknowledged=lambda n, of: seen.append((n, of)))
    assert seen == [(n, count) for n in range(1, count + 1)]
    assert domain.status(StatusScope.APPLICATIONS)[0].state_name == "PERSONALIZED"

    assert domain.channel is not None
    method = Diversification.EMV_CPS if scp == 2 else Diversification.KDF3
    version, old = (0x20, 0xFF) if scp == 2 else (0x31, 0x30)
    final = station.custody.card_keys(station.imk, method, domain.channel.update.key_data, version)
    domain.put_keys(final, replaces=old)
    domain.set_card_state(CardLifeCycleState.INITIALIZED)
    domain.set_card_state(CardLifeCycleState.SECURED)

    station.slot.reset()
    domain.select()
    assert {key.version for key in domain.key_information()} == {version}
    channel = domain.authenticate(station.wanted(level, method, station.imk, version))
    assert (channel.keys, channel.update.scp) == (final, Scp(f"{scp:02d}"))
    assert domain.status(StatusScope.ISSUER_DOMAIN)[0].state_name == "SECURED"


@pytest.mark.parametrize(
    ("scp", "stock"),
    [(2, Stock.VISA2), (2, Stock.EMV_CPS), (2, Stock.NONE), (3, Stock.KDF3), (3, Stock.NONE)],
)
def test_stock_of_every_diversification_opens(scp: int, stock: Stock) -> None:
    station = Station(scp, diversification=stock)
    station.domain.select()
    channel = station.domain.authenticate(station.wanted(method=Diversification(stock.value)))
    assert channel.update.key_data == CHIP.key_data


@pytest.mark.parametrize("i", [0x01, 0x11, 0x61, 0x71])
@pytest.mark.parametrize("size", [16, 24, 32])
def test_s16_chips_of_every_key_length_open_and_take_new_keys(i: int, size: int) -> None:
    station = Station(3, i=i, key_size=size)
    algorithm = {16: Algorithm.AES128, 24: Algorithm.AES192, 32: Algorithm.AES256}[size]
    stock = Secret((GP_TEST_KEY * 2)[:size])
    kmc = station.custody.import_key("kmc-long", Purpose.KMC, algorithm, stock, by="t").ref
    imk = station.custody.generate("imk-long", Purpose.CARD, algorithm, by="t").ref
    station.domain.select()
    channel = station.domain.authenticate(station.wanted(FULL if i & 0x40 else C_ENC, master=kmc))
    final = station.custody.card_keys(imk, Diversification.KDF3, channel.update.key_data, 0x31)
    station.domain.put_keys(final, replaces=0x30)
    station.domain.select()
    opened = station.domain.authenticate(station.wanted(C_ENC, Diversification.KDF3, imk, 0x31))
    assert opened.keys == final


@pytest.mark.parametrize("level", [C_MAC, C_ENC, FULL])
def test_a_cap_file_is_loaded_installed_and_deleted(level: SecurityLevel) -> None:
    station = Station(3)
    domain = station.open(level)
    package, applet = Aid("F04D454D424552FE"), Aid("F04D454D424552FE01")
    cap = CapFile.parse(cap_file(package, [applet], body=3000))
    seen: list[tuple[int, int]] = []
    domain.load(cap, digest="sha256", acknowledged=lambda n, of: seen.append((n, of)))
    blocks = -(-len(cap.load_file()) // domain.max_data)
    assert seen == [(n, blocks) for n in range(1, blocks + 1)]
    (loaded,) = domain.status(StatusScope.LOAD_FILES_AND_MODULES, package)
    assert (loaded.aid, loaded.modules) == (package, (applet,))
    domain.delete(package)
    assert domain.status(StatusScope.LOAD_FILES, package) == []


def test_applications_are_locked_unlocked_and_deleted() -> None:
    domain = Station(3).open()
    domain.install(PACKAGE, MEMBER, MEMBER, selectable=False)
    assert domain.status(StatusScope.APPLICATIONS)[0].state_name == "INSTALLED"
    domain.make_selectable(MEMBER)
    domain.set_application_state(MEMBER, 0x80)
    assert domain.status(StatusScope.APPLICATIONS)[0].state_name == "SELECTABLE LOCKED"
    domain.set_application_state(MEMBER, 0x07)
    assert domain.status(StatusScope.APPLICATIONS)[0].state_name == "SELECTABLE"
    domain.delete(MEMBER)
    assert domain.status(StatusScope.APPLICATIONS) == []
    with pytest.raises(CardRefused, match=f"deleting {MEMBER}: card answered 6A"):
        domain.delete(MEMBER)


def test_long_registries_come_in_pages() -> None:
    domain = Station(3).open()
    instances = [Aid(bytes(MEMBER) + bytes((n,))) for n in range(12)]
    for instance in instances:
        domain.install(PACKAGE, MEMBER, instance)
    assert [entry.aid for entry in domain.status(StatusScope.APPLICATIONS)] == instances


def test_plain_ber_data_are_stored_in_full_blocks() -> None:
    data = bytes(range(200)) + bytes(100)
    with Transcript(("80E21000FF" + data[:255].hex(), "9000"), ("80E290012D" + data[255:].hex(), "9000")) as card:
        domain = SecurityDomain(stack(card), MemoryCustody(simulation=True), AuthenticationGuard())
        assert domain.store_data(data, StoreDataStructure.BER) == 2


def test_data_that_the_card_returns_to_store_data_are_given_on() -> None:
    returned: list[bytes] = []
    data = bytes(range(200)) + bytes(100)
    with Transcript(
        ("80E21100FF" + data[:255].hex() + "00", "9000"), ("80E291012D" + data[255:].hex() + "00", "C0DE9000")
    ) as card:
        domain = SecurityDomain(stack(card), MemoryCustody(simulation=True), AuthenticationGuard())
        assert domain.store_data(data, StoreDataStructure.BER, returned=returned.append) == 2
    assert returned == [b"\xc0\xde"]


def test_the_older_registry_form_is_requested_where_the_newer_is_refused() -> None:
    entry = f"08{ISD_AID}079E"
    with Transcript(
        ("80F28002024F0000", "6A86"),
        ("80F28000024F0000", entry + "6310"),
        ("80F28001024F0000", f"09{MEMBER}0F009000"),
    ) as card:
        domain = SecurityDomain(stack(card), MemoryCustody(simulation=True), AuthenticationGuard())
        entries = domain.status(StatusScope.ISSUER_DOMAIN)
    assert [(e.aid, e.state) for e in entries] == [(ISD_AID, 7), (MEMBER, 0x0F)]


class Endless:
    """A card that always has more."""

    def send(self, command: object) -> Response:
        return Response(b"", StatusWord(0x6310))


def test_a_registry_without_end_is_a_fault() -> None:
    with pytest.raises(CardMalformed, match="without end"):
        SecurityDomain(Endless(), MemoryCustody(simulation=True), AuthenticationGuard()).status(
            StatusScope.APPLICATIONS
        )


@pytest.mark.parametrize(("answer", "fine"), [("00", True), ("", True), ("0411223344", True), ("05", False)])
def test_confirmations_are_checked(answer: str, fine: bool) -> None:
    with Transcript(("80E400000B4F09" + str(MEMBER) + "00", answer + "9000")) as card:
        domain = SecurityDomain(stack(card), MemoryCustody(simulation=True), AuthenticationGuard())
        if fine:
            domain.delete(MEMBER)
        else:
            with pytest.raises(CardMalformed, match="confirmation"):
                domain.delete(MEMBER)


def test_a_card_without_production_data_has_no_serial() -> None:
    with Transcript(("80CA9F7F00", "6A88"), ("80CA9F7F00", "6A88"), ("80CA006600", "6D00")) as card:
        domain = SecurityDomain(stack(card), MemoryCustody(simulation=True), AuthenticationGuard())
        assert domain.chip() == ""
        with pytest.raises(CardRefused, match=r"9F7F.*6A88"):
            domain.cplc()
        with pytest.raises(CardRefused, match=r"66.*6D00"):
            domain.recognition()


def test_keys_and_secret_data_need_a_channel() -> None:
    station = Station(3)
    keys = CardKeys(station.imk, Diversification.NONE, b"", 0x31, (b"aaa", b"bbb", b"ccc"))
    for work in (lambda: station.domain.put_keys(keys), lambda: station.domain.store_dgis([])):
        with pytest.raises(SecureChannelError, match="authenticate first"):
            work()
    assert station.slot.exchanges == 0


def test_wrong_keys_cost_one_handshake_and_no_try() -> None:
    station = Station(3)
    other = station.custody.generate("kmc-other", Purpose.KMC, Algorithm.AES128, by="t").ref
    station.domain.select()
    with pytest.raises(NotGenuine, match="key set 30 from kmc-other/1"):
        station.domain.authenticate(station.wanted(master=other))
    assert station.domain.channel is None
    station.domain.authenticate(station.wanted())
    assert station.domain.status(StatusScope.APPLICATIONS) == []


def test_a_chip_refuses_a_host_cryptogram_and_the_message_says_with_which_keys() -> None:
    station = Station(2)

    def meddle(apdu: bytes) -> bytes:
        return apdu[:5] + bytes((apdu[5] ^ 1,)) + apdu[6:] if apdu[:2] == b"\x84\x82" else apdu

    station.slot.on_command = meddle
    station.domain.select()
    with pytest.raises(AuthenticationRefused, match=r"with key set FF from kmc/1 \(KCV ENC 8BAF47"):
        station.domain.authenticate(station.wanted())


def test_a_changed_answer_ends_the_session() -> None:
    station = Station(3)
    domain = station.open(FULL)

    def meddle(answer: bytes) -> bytes:
        return answer[:-3] + bytes((answer[-3] ^ 1,)) + answer[-2:] if len(answer) > 2 else answer

    station.slot.on_answer = meddle
    with pytest.raises(IntegrityError):
        domain.status(StatusScope.ISSUER_DOMAIN)
    with pytest.raises(SecureChannelError, match="closed"):
        domain.status(StatusScope.ISSUER_DOMAIN)


def test_a_locked_card_still_tells_who_it_is() -> None:
    station = Station(3)
    domain = station.open()
    for state in (CardLifeCycleState.INITIALIZED, CardLifeCycleState.SECURED, CardLifeCycleState.CARD_LOCKED):
        domain.set_card_state(state)
    assert domain.select()[:1] == b"\x6f"
    assert domain.cplc().chip_serial == station.domain.chip()


def test_a_package_too_big_for_the_channel_is_not_even_announced() -> None:
    cap = CapFile.parse(cap_file(PACKAGE, [MEMBER], body=65000))
    station = Station(3)
    domain = station.open(FULL)
    before = station.slot.exchanges
    with pytest.raises(SecureChannelError, match="273 blocks; 1 to 256"):
        domain.load(cap)
    assert station.slot.exchanges == before


def test_the_rest_of_content_management_goes_out_as_built() -> None:
    isd, member = str(ISD_AID), str(MEMBER)
    with Transcript(
        ("80E6100017" + f"08{isd}0009{member}000000" + "00", "009000"),
        ("80E6400018" + f"08{isd}0009{member}01100000" + "00", "9000"),
        ("80E4000006D00103D2013000", "9000"),
        (f"80E400800B4F09{member}00", "6A88"),
    ) as card:
        domain = SecurityDomain(stack(card), MemoryCustody(simulation=True), AuthenticationGuard())
        domain.extradite(MEMBER, ISD_AID)
        domain.update_registry(MEMBER, domain=ISD_AID, privileges=Privileges.CARD_LOCK)
        domain.delete_key(0x30, 3)
        with pytest.raises(CardRefused, match=f"deleting {member}: card answered 6A88"):
            domain.delete(MEMBER, related=True)
