"""What the gateway costs beside the plain way to do the same: see `run.py`."""
