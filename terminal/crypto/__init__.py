"""Pure functions on bytes: ciphers, MACs, padding, key derivation, check values, raw RSA.

Nothing here knows what a key is for; that is the business of ``terminal.keys``. All faults are CryptoError.
"""
