"""Offline data authentication. EMV 4.4 Book 2, 5 and 6; Book 3, 10.3."""
