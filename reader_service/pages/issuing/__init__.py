"""Pages of issuing: intake, station, packing, stock and progress."""
