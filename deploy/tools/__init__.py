"""Tool chains and estimates: what turns SystemVerilog into gates and bitstreams."""
