"""The web pages: server-rendered, no script or style from anywhere else."""
