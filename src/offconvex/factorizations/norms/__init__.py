"""Whether norms explain what is learned."""
