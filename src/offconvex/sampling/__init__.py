"""Sampling beyond log-concavity: Langevin chains, simulated tempering, posteriors on matrix manifolds."""
