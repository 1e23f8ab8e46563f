"""Trained models for others: merged LLMs, folders for transformers, ESPnet's zip files, the hub."""
