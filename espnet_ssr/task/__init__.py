"""Tasks: what ESPnet's trainer is given. Choices and wiring only."""
