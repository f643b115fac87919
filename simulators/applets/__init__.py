"""The applications on the virtual card, and the table of those in ROM (``rom``).

``personalized`` stores data groupings; ``records`` and ``emv`` are the two bases above it. Applets do not import each
other.
"""
