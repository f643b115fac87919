"""EMV and PBOC cryptograms as an issuer computes them, apart from the terminal side."""
