"""The issuer security domain of the virtual card. GPC 2.3.1; Amendment D 1.2."""
