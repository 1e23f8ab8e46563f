"""Between alignment and training: tokens with their segments, checks, batches."""
