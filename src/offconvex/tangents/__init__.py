"""Beyond the neural tangent kernel: Taylorized networks, kernels, random signs, and learners of low-rank polynomials."""
