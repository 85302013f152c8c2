"""InstaHide: images hidden by mixing and sign flips, what a classifier learns from them, and the attacks."""
