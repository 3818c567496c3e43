"""From the planned graph to SystemVerilog: the accelerator, the shell of its board, the project folder."""
