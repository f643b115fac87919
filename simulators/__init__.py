"""The card side of every interface: a virtual card with its operating system and applets, virtual readers, a test bank.

Written from the specifications without the terminal side, so that one misreading cannot cancel out on both.
"""
