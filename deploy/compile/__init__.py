"""From a QONNX file to the hardware graph: export, import, streamlining by enumeration, lowering."""
