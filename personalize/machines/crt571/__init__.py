"""The CRT-571 and CRT-591 card issuing machines: stacker, contact station, antenna, exit slot and error bin.

Frames and answers stand in ``frames`` and ``codes``, the conversation over a line in ``conversation``; none of them
knows a port. ``stations`` is the machine's chip reader, ``machine`` the machine.
"""
