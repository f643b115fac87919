"""The printed face of a card: designs as files, rendering, checks before printing, photos, proofs for a signature."""
