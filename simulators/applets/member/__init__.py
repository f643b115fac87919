"""The member application, card side: ``applet`` has the commands, ``data`` the groupings. docs/card-layout.md."""
