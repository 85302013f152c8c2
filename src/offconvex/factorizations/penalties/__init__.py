"""Explicit penalties beside the implicit one."""
