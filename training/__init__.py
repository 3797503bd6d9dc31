"""Training: the PyTorch models, their losses, data sets and schedules. The engine never imports this package."""
