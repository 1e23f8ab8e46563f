"""Evaluation: numbers that stand beside control rows."""
