"""Cardholder verification. EMV 4.4 Book 3, 10.5; Book 2, 7."""
