"""signflow inside FINN's builder: build steps for `finn.builder.build_dataflow` (docs/finn.md)."""
