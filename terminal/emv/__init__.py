"""EMV, the terminal's half: data elements and the contact payment kernel, in the order of the books."""
