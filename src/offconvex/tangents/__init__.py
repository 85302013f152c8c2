"""Beyond the neural tangent kernel: Taylor models, kernels, random signs, learners of polynomials."""
