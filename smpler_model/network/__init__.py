"""The network: SMPLer as in the paper, and what it is made of."""
