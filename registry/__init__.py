"""The system of record: units, members, batches, dossiers, chips, cards, journal and hotlist. All SQL is here.

``registry.store.Registry.open(url, custody)`` opens it and names its repositories. Their arguments and results are
frozen values, most of them in ``registry.values``; faults are the leaves of ``registry.errors``.
"""
