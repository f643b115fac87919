"""The PBOC payment application: ``applet`` dispatches, ``transaction`` runs one payment, ``risk`` decides, ``scripts``
executes issuer scripts, ``state`` and ``log`` are what remains. EMV 4.4; JR/T 0025.
"""
