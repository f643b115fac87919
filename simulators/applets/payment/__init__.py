"""The payment application of the virtual card. EMV 4.4; JR/T 0025."""
