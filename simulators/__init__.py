"""The other side of the wire: a virtual card with its operating system and applets, virtual readers, faults."""
