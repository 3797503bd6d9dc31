"""Runs a named graph of a bundle on a device. One file a runtime; `devices.py` chooses and verifies."""
