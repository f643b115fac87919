"""Countries and currencies in Chinese, from the Unicode Common Locale Data Repository (Babel)."""

from __future__ import annotations

from babel import Locale

from membercard.language import Language, sentence

_LOCALE = Locale(Language.CHINESE.value)
_LETTERS_OF_A_COUNTRY = 2


def place(english: str, letters: str) -> str:
    """The country with these two letters or the currency with these three: as the catalogue of messages names it, else
    the repository; its English name where neither has one."""
    named = sentence(english)
    if named != english:
        return named
    names = _LOCALE.territories if len(letters) == _LETTERS_OF_A_COUNTRY else _LOCALE.currencies
    return str(names.get(letters, english))
