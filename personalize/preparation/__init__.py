"""Data preparation: a member becomes a sealed dossier, a batch becomes its dossiers."""
