"""The data elements of EMV and of payment systems: tables, codecs and the code lists that they point into."""
