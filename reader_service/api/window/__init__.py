"""Resources of a window: one member's matter from beginning to end."""
