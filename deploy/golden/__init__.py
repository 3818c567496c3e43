"""The integer program on the CPU: the reference that the hardware is compared with."""
