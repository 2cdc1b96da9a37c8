"""How drawn people become images."""
