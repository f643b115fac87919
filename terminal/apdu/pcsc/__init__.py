"""PC/SC: readers, cards and events through pyscard."""
