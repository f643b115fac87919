"""PC/SC readers and cards through pyscard.

``transport`` is the reader and the card, and the only module that imports pyscard; ``events`` lists and watches
readers; ``names`` gives readers stable names; ``url`` is the ``pcsc:`` reader URL; ``codes`` turns result codes into
faults; ``features`` reads what a reader supports; ``watchdog`` and ``service_socket`` end calls that overrun.
"""
