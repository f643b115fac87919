"""The card's side of a serial line, character by character. ISO/IEC 7816-3:2006."""
