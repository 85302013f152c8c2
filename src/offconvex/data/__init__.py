"""Data shipped with the package: a fixed part of Fashion-MNIST, so that every chapter runs offline."""
