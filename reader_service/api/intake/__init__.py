"""What a reviewer does with a roster, over HTTP."""
