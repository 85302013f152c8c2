"""Two weights, many parameterizations: how the choice of coordinates steers gradient flow."""
