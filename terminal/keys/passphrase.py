"""Which passphrases may protect a keystore: whoever has a copy of the file may guess without end."""

from __future__ import annotations

import math
import re
from typing import Final

from terminal.errors import KeyRefused
from terminal.secret import Secret

_GUESSES: Final = 10.0
"""Of a production keystore, as a power of ten: at 0.3 s a guess (``keyfile.STANDARD_COST``), 95 years of computing."""
_SIMULATION_GUESSES: Final = 6.0
_LOOKED_AT: Final = 72
"""Characters that the estimate considers: its time grows with the square of the length."""
_OWN_WORDS: Final = ("membercard", "keystore", "passphrase", "gonghui", "huiyuanka", "工会", "会员", "服务卡", "总工会")
_PERSONAL: Final = re.compile(r"(?:\+?86)?1[3-9]\d{9}|\d{17}[\dXx]")
"""A mobile number or an ID number: few of them are possible, and somebody knows them."""


def check_passphrase(passphrase: Secret, *, simulation: bool) -> None:
    """Raises KeyRefused for a passphrase that is too easy to guess, by the estimate of zxcvbn (Wheeler, USENIX 2016).
    The sentence does not quote it."""
    from zxcvbn import zxcvbn  # its word lists take long to load

    text = passphrase.reveal().decode("utf-8", "replace")
    guesses = 0.0
    if text.strip() and not _PERSONAL.fullmatch(re.sub(r"[\s-]", "", text)):
        guesses = math.log10(max(1, zxcvbn(text[:_LOOKED_AT], user_inputs=list(_OWN_WORDS))["guesses"]))
    wanted = _SIMULATION_GUESSES if simulation else _GUESSES
    if guesses < wanted:
        raise KeyRefused(
            f"the passphrase is too easy to guess (about 10^{guesses:.0f} guesses, 10^{wanted:.0f} are wanted): take "
            "four or more words that do not belong together, or the output of: openssl rand -base64 24"
        )
