"""EMV and PBOC cryptograms for the virtual card and the test bank: schemes by cryptogram version, algorithms."""
