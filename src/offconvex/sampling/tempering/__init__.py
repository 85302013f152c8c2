"""Simulated tempering: two modes, a ladder of temperatures, exact gaps and times."""
