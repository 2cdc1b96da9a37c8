"""The SMPLer network as in the paper, and its parts."""
