"""Labels of real photos, made with the help of a pose network, the teacher. Needs no PyTorch."""
