"""The member application, card side: ``applet`` dispatches, ``redemption`` runs GENERATE AC, ``decision`` decides it,
``scripts`` executes commands of the issuer, ``state`` and the records are what remains. docs/redemption.md.
"""
