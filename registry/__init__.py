"""The system of record: units, members, batches, dossiers, chips, cards, journal and hotlist. All SQL lives here.

``Registry.open(url, custody)`` in ``registry.store`` is the door; what goes in and out are the frozen values of
``registry.values``; faults are the leaves of ``registry.errors``.
"""
