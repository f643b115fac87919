"""The bit fields of EMV as flags. EMV 4.4 Book 3, Annex C1, C2, C5 and C6; Book 4, Annex A2, A3 and A7.

Every flag has the text of the specification: ``TVR.SDA_FAILED.text``. Iterating over a value gives its flags; bits
without a meaning are preserved, and ``unnamed`` gives them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from enum import IntFlag
from functools import cache
from typing import Self

from terminal.errors import CodecError


class BitField(IntFlag):
    """Flags over ``size()`` bytes, big-endian. A member is written as byte (from 1), bit (8 to 1) and meaning."""

    text: str

    def __new__(cls, byte: int, bit: int = 0, text: str = "") -> Self:
        value = 1 << 8 * (cls.size() - byte) + bit - 1
        flag = int.__new__(cls, value)
        flag._value_ = value
        flag.text = text
        return flag

    @staticmethod
    @abstractmethod
    def size() -> int:
        """Bytes of the field."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """The flags of a value. Raises CodecError for another length."""
        if len(data) != cls.size():
            raise CodecError(f"{len(data)} bytes where {cls.__name__} has {cls.size()}")
        return cls(int.from_bytes(data, "big"))

    def encode(self) -> bytes:
        return self.to_bytes(self.size(), "big")

    def set_in(self, data: bytes) -> bool:
        """Whether all of these flags are set in an encoded value. One test without converting the value to flags."""
        return int.from_bytes(data, "big") & int(self) == int(self)

    def places(self) -> Iterator[tuple[int, int, str]]:
        """Byte, bit and meaning of every bit that is set, first byte and b8 first; an empty meaning for an RFU bit."""
        named = {flag.value: flag.text for flag in self}
        for position in range(8 * self.size()):
            bit = 1 << 8 * self.size() - 1 - position
            if self & bit:
                yield position // 8 + 1, 8 - position % 8, named.get(bit, "")

    @property
    def unnamed(self) -> int:
        """The bits that are set and have no meaning (RFU or proprietary), as a number."""
        return int(self) & ((1 << 8 * self.size()) - 1) & ~_meanings(type(self))


@cache
def _meanings(field: type[BitField]) -> int:
    """The bits of a field that have a meaning."""
    return sum(int(flag) for flag in field if flag.text)


class TVR(BitField):
    """Terminal verification results, tag 95; IACs and TACs have the same bits. EMV 4.4 Book 3, Annex C5, table 46."""

    @staticmethod
    def size() -> int:
        return 5

    ODA_NOT_PERFORMED = 1, 8, "Offline data authentication was not performed"
    SDA_FAILED = 1, 7, "SDA failed"
    ICC_DATA_MISSING = 1, 6, "ICC data missing"
    ON_EXCEPTION_FILE = 1, 5, "Card appears on terminal exception file"
    DDA_FAILED = 1, 4, "DDA failed"
    CDA_FAILED = 1, 3, "CDA failed"
    SDA_SELECTED = 1, 2, "SDA selected"
    XDA_SELECTED = 1, 1, "XDA selected"

    VERSIONS_DIFFER = 2, 8, "ICC and terminal have different application versions"
    EXPIRED = 2, 7, "Expired application"
    NOT_YET_EFFECTIVE = 2, 6, "Application not yet effective"
    SERVICE_NOT_ALLOWED = 2, 5, "Requested service not allowed for card product"
    NEW_CARD = 2, 4, "New card"
    BIOMETRIC_SUCCESSFUL = 2, 2, "Biometric performed and successful"
    BIOMETRIC_FORMAT_NOT_SUPPORTED = 2, 1, "Biometric template format not supported"

    CVM_NOT_SUCCESSFUL = 3, 8, "Cardholder verification was not successful"
    CVM_UNRECOGNISED = 3, 7, "Unrecognised CVM"
    PIN_TRY_LIMIT_EXCEEDED = 3, 6, "PIN Try Limit exceeded"
    PIN_PAD_NOT_WORKING = 3, 5, "PIN entry required and PIN pad not present or not working"
    PIN_NOT_ENTERED = 3, 4, "PIN entry required, PIN pad present, but PIN was not entered"
    ONLINE_CVM_CAPTURED = 3, 3, "Online CVM captured (online PIN entered)"
    BIOMETRIC_DEVICE_NOT_WORKING = 3, 2, "Biometric required but capture device not working"
    BIOMETRIC_BYPASSED = 3, 1, "Biometric required, capture device present, but entry was bypassed"

    FLOOR_LIMIT_EXCEEDED = 4, 8, "Transaction exceeds floor limit"
    LOWER_OFFLINE_LIMIT_EXCEEDED = 4, 7, "Lower consecutive offline limit exceeded"
    UPPER_OFFLINE_LIMIT_EXCEEDED = 4, 6, "Upper consecutive offline limit exceeded"
    RANDOMLY_SELECTED = 4, 5, "Transaction selected randomly for online processing"
    MERCHANT_FORCED_ONLINE = 4, 4, "Merchant forced transaction online"
    BIOMETRIC_TRY_LIMIT_EXCEEDED = 4, 3, "Biometric Try Limit exceeded"
    BIOMETRIC_TYPE_NOT_SUPPORTED = 4, 2, "A selected biometric type is not supported"
    XDA_FAILED = 4, 1, "XDA signature verification failed"

    DEFAULT_TDOL_USED = 5, 8, "Default TDOL used"
    ISSUER_AUTHENTICATION_FAILED = 5, 7, "Issuer authentication failed"
    SCRIPT_FAILED_BEFORE_FINAL_AC = 5, 6, "Script processing failed before final GENERATE AC"
    SCRIPT_FAILED_AFTER_FINAL_AC = 5, 5, "Script processing failed after final GENERATE AC"
    CA_ECC_KEY_MISSING = 5, 3, "CA ECC key missing"
    ECC_KEY_RECOVERY_FAILED = 5, 2, "ECC key recovery failed"


class TSI(BitField):
    """Transaction status information, tag 9B. EMV 4.4 Book 3, Annex C6, table 47."""

    @staticmethod
    def size() -> int:
        return 2

    ODA_PERFORMED = 1, 8, "Offline data authentication was performed"
    CVM_PERFORMED = 1, 7, "Cardholder verification was performed"
    CARD_RISK_MANAGEMENT_PERFORMED = 1, 6, "Card risk management was performed"
    ISSUER_AUTHENTICATION_PERFORMED = 1, 5, "Issuer authentication was performed"
    TERMINAL_RISK_MANAGEMENT_PERFORMED = 1, 4, "Terminal risk management was performed"
    SCRIPT_PERFORMED = 1, 3, "Script processing was performed"


class AIP(BitField):
    """Application interchange profile, tag 82. EMV 4.4 Book 3, Annex C1, table 41."""

    @staticmethod
    def size() -> int:
        return 2

    XDA = 1, 8, "XDA supported"
    SDA = 1, 7, "SDA supported"
    DDA = 1, 6, "DDA supported"
    CARDHOLDER_VERIFICATION = 1, 5, "Cardholder verification is supported"
    TERMINAL_RISK_MANAGEMENT = 1, 4, "Terminal risk management is to be performed"
    ISSUER_AUTHENTICATION = 1, 3, "Issuer authentication is supported"
    CDA = 1, 1, "CDA supported"


class AUC(BitField):
    """Application usage control, tag 9F07. EMV 4.4 Book 3, Annex C2, table 42."""

    @staticmethod
    def size() -> int:
        return 2

    DOMESTIC_CASH = 1, 8, "Valid for domestic cash transactions"
    INTERNATIONAL_CASH = 1, 7, "Valid for international cash transactions"
    DOMESTIC_GOODS = 1, 6, "Valid for domestic goods"
    INTERNATIONAL_GOODS = 1, 5, "Valid for international goods"
    DOMESTIC_SERVICES = 1, 4, "Valid for domestic services"
    INTERNATIONAL_SERVICES = 1, 3, "Valid for international services"
    AT_ATMS = 1, 2, "Valid at ATMs"
    AT_OTHER_TERMINALS = 1, 1, "Valid at terminals other than ATMs"
    DOMESTIC_CASHBACK = 2, 8, "Domestic cashback allowed"
    INTERNATIONAL_CASHBACK = 2, 7, "International cashback allowed"


class TerminalCapabilities(BitField):
    """Tag 9F33. EMV 4.4 Book 4, Annex A2, tables 25 to 27."""

    @staticmethod
    def size() -> int:
        return 3

    MANUAL_KEY_ENTRY = 1, 8, "Manual key entry"
    MAGNETIC_STRIPE = 1, 7, "Magnetic stripe"
    CONTACTS = 1, 6, "IC with contacts"
    PLAINTEXT_PIN = 2, 8, "Plaintext PIN for ICC verification"
    ONLINE_PIN = 2, 7, "Enciphered PIN for online verification"
    SIGNATURE = 2, 6, "Signature"
    ENCIPHERED_PIN = 2, 5, "Enciphered PIN for offline verification (RSA)"
    NO_CVM = 2, 4, "No CVM required"
    ONLINE_BIOMETRIC = 2, 3, "Online biometric"
    OFFLINE_BIOMETRIC = 2, 2, "Offline biometric"
    ENCIPHERED_PIN_ECC = 2, 1, "Enciphered PIN for offline verification (ECC)"
    SDA = 3, 8, "SDA"
    DDA = 3, 7, "DDA"
    CARD_CAPTURE = 3, 6, "Card capture"
    CDA = 3, 4, "CDA"
    XDA = 3, 3, "XDA"


class AdditionalCapabilities(BitField):
    """Additional terminal capabilities, tag 9F40. EMV 4.4 Book 4, Annex A3, tables 28 to 32."""

    @staticmethod
    def size() -> int:
        return 5

    CASH = 1, 8, "Cash"
    GOODS = 1, 7, "Goods"
    SERVICES = 1, 6, "Services"
    CASHBACK = 1, 5, "Cashback"
    INQUIRY = 1, 4, "Inquiry"
    TRANSFER = 1, 3, "Transfer"
    PAYMENT = 1, 2, "Payment"
    ADMINISTRATIVE = 1, 1, "Administrative"
    CASH_DEPOSIT = 2, 8, "Cash deposit"
    NUMERIC_KEYS = 3, 8, "Numeric keys"
    ALPHABETIC_KEYS = 3, 7, "Alphabetic and special characters keys"
    COMMAND_KEYS = 3, 6, "Command keys"
    FUNCTION_KEYS = 3, 5, "Function keys"
    PRINT_ATTENDANT = 4, 8, "Print or electronic, attendant"
    PRINT_CARDHOLDER = 4, 7, "Print or electronic, cardholder"
    DISPLAY_ATTENDANT = 4, 6, "Display, attendant"
    DISPLAY_CARDHOLDER = 4, 5, "Display, cardholder"
    CODE_TABLE_10 = 4, 2, "Code table 10"
    CODE_TABLE_9 = 4, 1, "Code table 9"
    CODE_TABLE_8 = 5, 8, "Code table 8"
    CODE_TABLE_7 = 5, 7, "Code table 7"
    CODE_TABLE_6 = 5, 6, "Code table 6"
    CODE_TABLE_5 = 5, 5, "Code table 5"
    CODE_TABLE_4 = 5, 4, "Code table 4"
    CODE_TABLE_3 = 5, 3, "Code table 3"
    CODE_TABLE_2 = 5, 2, "Code table 2"
    CODE_TABLE_1 = 5, 1, "Code table 1"


class BiometricCapabilities(BitField):
    """Biometric terminal capabilities, tag 9F30. EMV 4.4 Book 4, Annex A7, tables 36 to 38."""

    @staticmethod
    def size() -> int:
        return 3

    FACIAL_OFFLINE = 1, 8, "Facial biometric for offline verification"
    FINGER_OFFLINE = 1, 7, "Finger biometric for offline verification"
    IRIS_OFFLINE = 1, 6, "Iris biometric for offline verification"
    PALM_OFFLINE = 1, 5, "Palm biometric for offline verification"
    VOICE_OFFLINE = 1, 4, "Voice biometric for offline verification"
    FACIAL_ONLINE = 2, 8, "Facial biometric for online verification"
    FINGER_ONLINE = 2, 7, "Finger biometric for online verification"
    IRIS_ONLINE = 2, 6, "Iris biometric for online verification"
    PALM_ONLINE = 2, 5, "Palm biometric for online verification"
    VOICE_ONLINE = 2, 4, "Voice biometric for online verification"
