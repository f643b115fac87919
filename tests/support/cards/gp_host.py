"""A GlobalPlatform host of a hundred lines, from the specification and apart from the program's own, to drive a card.

GPC 2.3.1 Annex E (SCP02, i = 15 or 55 and their R-MAC forms) and Amendment D 1.2 (SCP03).
"""

from __future__ import annotations

from simulators.virtual_card import VirtualCard
from terminal.apdu import Command, Response, StatusWord
from terminal.crypto import aes, des, kcv, kdf
from terminal.tlv import dgi

TEST_KEY = bytes(range(0x40, 0x50))
MEMBER_FILE, MEMBER_MODULE = bytes.fromhex("F04D454D424552"), bytes.fromhex("F04D454D4245520101")


class HostError(AssertionError):
    """The card's answer does not verify."""


def pad(data: bytes, block: int) -> bytes:
    return data + b"\x80" + bytes(-(len(data) + 1) % block)


def lv(*fields: bytes) -> bytes:
    return b"".join(bytes((len(field),)) + field for field in fields)


class GpHost:
    """Keys of one card and, after ``open``, a session. ``send`` takes plain commands and answers plain responses."""

    def __init__(self, card: VirtualCard, *, keys: tuple[bytes, bytes, bytes] = (TEST_KEY,) * 3, channel: int = 0):
        self.card, self.keys, self.channel = card, keys, channel
        self.scp = card.config.scp
        self.size = 16 if self.scp == 3 and card.config.i & 1 else 8
        self.level = 0
        self.wire: list[bytes] = []

    def transmit(self, command: Command) -> Response:
        """As the link does: GET RESPONSE and the right Le."""
        command = Command(command.cla | self.channel, command.ins, command.p1, command.p2, command.data, command.ne)
        response = self._raw(command.encode())
        if response.sw.right_length is not None:
            header = Command(command.cla, command.ins, command.p1, command.p2, ne=response.sw.right_length)
            response = self._raw(header.encode())
        data = response.data
        while response.sw.more is not None:
            response = self._raw(bytes((self.channel, 0xC0, 0, 0, response.sw.more & 0xFF)))
            data += response.data
        return Response(data, response.sw)

    def _raw(self, raw: bytes) -> Response:
        self.wire.append(raw)
        return Response.decode(self.card.exchange(raw))

    def initialize_update(self, version: int = 0, challenge: bytes | None = None) -> Response:
        challenge = challenge or bytes(range(1, self.size + 1))
        response = self.transmit(Command(0x80, 0x50, version, 0, challenge, 256))
        if response.sw.ok:
            (self._derive02 if self.scp == 2 else self._derive03)(challenge, response.data)
        return response

    def open(self, level: int = 1, version: int = 0) -> StatusWord:
        """Both halves of the handshake; the card's status word of the one that ended it."""
        response = self.initialize_update(version)
        return self.authenticate(level) if response.sw.ok else response.sw

    def authenticate(self, level: int, cryptogram: bytes | None = None) -> StatusWord:
        self.level = 1
        self.counter = 0
        wrapped = self.wrap(Command(0x80, 0x82, level, 0, cryptogram or self.host_cryptogram))
        self.level = level
        return self.transmit(wrapped).sw

    def send(self, cla: int, ins: int, p1: int = 0, p2: int = 0, data: bytes = b"", ne: int | None = None) -> Response:
        plain = Command(cla, ins, p1, p2, data, ne)
        response = self.transmit(self.wrap_next(plain))
        return self.unwrap(plain, response)

    def wrap_next(self, plain: Command) -> Command:
        """The next command of the session, protected but not sent."""
        self.counter += 1
        return self.wrap(plain)

    def wrap(self, plain: Command) -> Command:
        if not self.level & 1:
            return plain
        data, body = plain.data, plain.data
        cla = plain.cla | 0x04
        if self.level & 2 and data:
            if self.scp == 2:
                body = des.cbc_encrypt(self.s_enc, pad(data, 8))
            else:
                body = aes.cbc_encrypt(self.s_enc, pad(data, 16), self._iv(0))
        covered = data if self.scp == 2 else body
        length = len(covered) + self.size
        lc = bytes((length,)) if len(body) + self.size < 256 else b"\x00" + length.to_bytes(2, "big")
        message = bytes((cla, plain.ins, plain.p1, plain.p2)) + lc + covered
        if self.scp == 2:
            icv = des.ecb_encrypt(self.s_mac[:8], self.chain) if plain.ins != 0x82 else bytes(8)
            self.chain = des.retail_mac(self.s_mac, pad(message, 8), icv)
            if plain.ins == 0x82:
                self.r_chain = self.chain
        else:
            self.chain = aes.cmac(self.s_mac, self.chain + message)
        return Command(cla, plain.ins, plain.p1, plain.p2, body + self.chain[: self.size], plain.ne)

    def unwrap(self, plain: Command, response: Response) -> Response:
        data, sw = response.data, response.sw
        if not self.level & 0x10 or not (sw.ok or sw.warning):
            return response
        data, mac = data[: -self.size], data[-self.size :]
        tail = int(sw).to_bytes(2, "big")
        if self.scp == 2:
            request = plain.header + bytes((len(plain.data),)) + plain.data
            self.r_chain = des.retail_mac(
                self.s_rmac, pad(request + bytes((len(data),)) + data + tail, 8), self.r_chain
            )
            expected = self.r_chain
        else:
            expected = aes.cmac(self.s_rmac, self.chain + data + tail)
        if mac != expected[: self.size]:
            raise HostError("R-MAC")
        if self.level & 0x20 and data:
            data = aes.cbc_decrypt(self.s_enc, data, self._iv(0x80)).rstrip(b"\x00")[:-1]
        return Response(data, sw)

    def secret(self, value: bytes) -> bytes:
        """Sensitive data under the session DEK."""
        return des.ecb_encrypt(self.dek, value) if self.scp == 2 else aes.cbc_encrypt(self.dek, value)

    def key_field(self, key: bytes) -> bytes:
        """One key of a PUT KEY command."""
        if self.scp == 2:
            return b"\x80" + lv(self.secret(key), kcv.des_kcv(key))
        body = bytes((len(key),)) + self.secret(key + bytes(-len(key) % 16))
        return b"\x88" + lv(body, kcv.aes_kcv(key))

    def put_keys(self, old: int, new: int, keys: tuple[bytes, bytes, bytes]) -> Response:
        data = bytes((new,)) + b"".join(self.key_field(key) for key in keys)
        return self.send(0x80, 0xD8, old, 0x81, data, 256)

    def install(self, file: bytes, module: bytes, instance: bytes, *, privileges: bytes = b"\x00") -> Response:
        data = lv(file, module, instance, privileges, b"\xc9\x00", b"")
        return self.send(0x80, 0xE6, 0x0C, 0, data, 256)

    def for_personalization(self, instance: bytes) -> Response:
        return self.send(0x80, 0xE6, 0x20, 0, lv(b"", b"", instance, b"", b"", b""), 256)

    def store(
        self, groups: list[tuple[int, bytes]], block: int, *, last: bool = False, secret: bool = False
    ) -> Response:
        if secret:
            groups = [(number, self.secret(value)) for number, value in groups]
        p1 = 0x08 | 0x80 * last | 0x60 * secret
        return self.send(0x80, 0xE2, p1, block & 0xFF, dgi.encode(groups))

    def _iv(self, first: int) -> bytes:
        return aes.ecb_encrypt(self.s_enc, bytes((first,)) + self.counter.to_bytes(15, "big"))

    def _derive02(self, challenge: bytes, answer: bytes) -> None:
        counter, card = answer[12:14], answer[12:20]

        def session(key: bytes, constant: str) -> bytes:
            return des.cbc_encrypt(key, bytes.fromhex(constant) + counter + bytes(12))

        enc, mac, dek = self.keys
        self.s_enc, self.s_mac, self.s_rmac = session(enc, "0182"), session(mac, "0101"), session(mac, "0102")
        self.dek, self.chain = session(dek, "0181"), bytes(8)
        self.host_cryptogram = des.cbc_mac(self.s_enc, pad(card + challenge, 8))
        if answer[20:] != des.cbc_mac(self.s_enc, pad(challenge + card, 8)):
            raise HostError("card cryptogram")

    def _derive03(self, challenge: bytes, answer: bytes) -> None:
        n = self.size
        context = challenge + answer[13 : 13 + n]
        enc, mac, dek = self.keys
        self.s_enc = kdf.cmac_counter(enc, 4, context, 8 * len(enc))
        self.s_mac, self.s_rmac = (kdf.cmac_counter(mac, c, context, 8 * len(mac)) for c in (6, 7))
        self.dek, self.chain = dek, bytes(16)
        self.host_cryptogram = kdf.cmac_counter(self.s_mac, 1, context, 8 * n)
        if answer[13 + n : 13 + 2 * n] != kdf.cmac_counter(self.s_mac, 0, context, 8 * n):
            raise HostError("card cryptogram")
