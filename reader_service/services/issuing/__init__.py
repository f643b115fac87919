"""Use-cases of issuing: rosters, batches, dossiers, lanes, boxes, and steps of many cards."""
