"""A board that signflow does not know, as the lines of its table in a file of boards; the clock is the test's own."""

OWN = """device = "xc7"
toolchain = "vivado"
link = "pynq"
part = "xc7z010clg400-1"
lut = 17600
ff = 35200
bram18 = 120
dsp = 80
stream_bits = 32
"""
