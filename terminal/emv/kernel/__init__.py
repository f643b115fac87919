"""The payment kernel as a whole, and what a terminal reads without paying. EMV 4.4 Book 3, 8.2."""
