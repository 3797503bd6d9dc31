"""Ablations: the papers' tables, over short runs on what frozen backbones made of the tracks once."""
