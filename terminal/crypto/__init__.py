"""Pure functions on bytes: ciphers, MACs, padding, key derivation, check values, raw RSA.

The purpose of a key is not known here; see ``terminal.keys``. All exceptions are CryptoError.
"""
