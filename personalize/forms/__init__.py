"""Registration forms of other federations, declared in YAML."""
