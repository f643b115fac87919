"""Certificates that the issuer makes for cards: RSA and SM2, and the chains all cards of a run share."""
