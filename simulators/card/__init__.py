"""The operating system of the virtual card: link, channels and dispatch, memory and card file, registry and keys.

It knows no application and no security domain: both are given to it.
"""
