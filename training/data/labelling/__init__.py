"""Labels real photos with the help of a pose network, the teacher. Needs no PyTorch."""
