"""Values of a module's parameters: integers, names of memory images, and long constants as text such as 128'h0f."""

Value = int | str


def is_image(value: Value) -> bool:
    """Whether it names a memory image."""
    return isinstance(value, str) and bool(value) and "'" not in value


def verilog(value: Value) -> str:
    """As SystemVerilog writes it; names in quotes."""
    if isinstance(value, str):
        return value if "'" in value else f'"{value}"'
    return f"{int(value)}"
