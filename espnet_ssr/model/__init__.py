"""Models that ESPnet trains, one file each; a model only computes."""
