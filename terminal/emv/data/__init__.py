"""EMV and PBOC data elements, their codecs and their explanation in words. EMV 4.4 Book 3, Annex A."""
