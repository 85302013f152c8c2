"""One potential, five ways to slide along it: networks w = u^2 - v^2."""
