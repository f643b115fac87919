"""Pages of a window: one member's matter, from the search to the new card."""
