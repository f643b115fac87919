"""Cryptograms, online processing, issuer scripts and completion. EMV 4.4 Book 3, 10.8 to 10.11."""
