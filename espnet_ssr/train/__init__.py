"""What the training loop adds to ESPnet's: whole checkpoints, exact resume, progress."""
