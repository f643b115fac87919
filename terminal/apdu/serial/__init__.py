"""Chip readers at a serial port without a driver ("Phoenix", "Smartmouse"): the terminal's half of ISO/IEC 7816-3.

The transport is in :mod:`terminal.apdu.serial.reader`, pyserial in :mod:`terminal.apdu.serial.port` alone. Between them
are characters, the answer to reset, PPS, and the protocols T=0 and T=1, none of which knows a port.
"""
