"""The hardware handoff of a simulated board: what `pynq` must know of a design beside its bitstream.

Vivado writes a `.hwh` file for a real bitstream. This one has the few facts that pynq's own parser reads: the
processing system with its clock, and the address map of the DMA and of the accelerator's registers.
"""

from collections.abc import Mapping
from xml.sax.saxutils import quoteattr

from signflow.hw.boards import Board

DMA, DMA_BASE = "axi_dma_0", 0x4040_0000
REGISTERS_BASE, REGISTERS_RANGE = 0x43C0_0000, 0x1_0000
LENGTH_BITS = 26
AXI = "xilinx.com:interface:aximm:1.0"


def handoff(facts: Mapping) -> str:
    """The text of `<name>.hwh` for a project's `accel.json`; raises ValueError for a board without Zynq."""
    target = Board.of(facts)
    if target.device not in PROCESSORS:
        raise ValueError(f"{target.name} has no processing system, so pynq cannot drive it")
    modules = [_processor(target.device, facts), _dma(facts), _accelerator(facts)]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            "<!-- Written by signflow for its simulated board; Vivado writes the one of a real bitstream. -->",
            '<EDKSYSTEM EDWVERSION="1.2">',
            f"<SYSTEMINFO NAME={quoteattr(facts['name'])} BOARD={quoteattr(target.name)}/>",
            "<EXTERNALPORTS/>",
            "<EXTERNALINTERFACES/>",
            "<MODULES>",
            *modules,
            "</MODULES>",
            "</EDKSYSTEM>",
            "",
        ]
    )


def _module(name: str, vlnv: str, parameters: Mapping, interfaces: Mapping[str, str], ranges: str = "") -> str:
    """One block: its parameters, its memory-mapped interfaces (name -> MASTER or SLAVE), what it addresses."""
    lines = [
        f'<MODULE FULLNAME="/{name}" INSTANCE="{name}" MODTYPE="{vlnv.split(":")[2]}" VLNV="{vlnv}">',
        "<PARAMETERS>",
        *(f'<PARAMETER NAME="{key}" VALUE="{value}"/>' for key, value in parameters.items()),
        "</PARAMETERS>",
        "<PORTS/>",
        "<BUSINTERFACES>",
        *(f'<BUSINTERFACE NAME="{k}" TYPE="{v}" VLNV="{AXI}"/>' for k, v in interfaces.items()),
        "</BUSINTERFACES>",
        f"<MEMORYMAP>{ranges}</MEMORYMAP>",
        "</MODULE>",
    ]
    return "\n".join(lines)


def _range(master: str, instance: str, port: str, base: int, size: int) -> str:
    return (
        f'<MEMRANGE ADDRESSBLOCK="Reg" BASEVALUE="{base:#010X}" HIGHVALUE="{base + size - 1:#010X}" '
        f'INSTANCE="{instance}" MASTERBUSINTERFACE="{master}" MEMTYPE="REGISTER" SLAVEBUSINTERFACE="{port}"/>'
    )


def _zynq(clock_mhz: float) -> dict:
    """Clock 0 from the 1 GHz I/O PLL, the others off."""
    clocks = {f"PCW_FPGA_FCLK{i}_ENABLE": int(i == 0) for i in range(4)}
    for i in range(4):
        clocks |= {f"PCW_FCLK{i}_PERIPHERAL_DIVISOR0": round(1000 / clock_mhz) if i == 0 else 1}
        clocks |= {f"PCW_FCLK{i}_PERIPHERAL_DIVISOR1": 1, f"PCW_FCLK{i}_PERIPHERAL_CLKSRC": "IO PLL"}
    return clocks


def _zynqmp(clock_mhz: float) -> dict:
    """Clock 0 from the 1.5 GHz I/O PLL, the others off."""
    clocks = {f"PSU__FPGA_PL{i}_ENABLE": int(i == 0) for i in range(4)}
    for i in range(4):
        prefix = f"PSU__CRL_APB__PL{i}_REF_CTRL__"
        clocks |= {f"{prefix}DIVISOR0": int(-(-1500 // clock_mhz)) if i == 0 else 1, f"{prefix}DIVISOR1": 1}
        clocks |= {f"{prefix}SRCSEL": "IOPLL", f"{prefix}ACT_FREQMHZ": clock_mhz if i == 0 else 100}
    return clocks


PROCESSORS = {
    "xc7": ("ps7", "xilinx.com:ip:processing_system7:5.5", "M_AXI_GP0", _zynq),
    "xcup": ("ps_e", "xilinx.com:ip:zynq_ultra_ps_e:3.5", "M_AXI_HPM0_FPD", _zynqmp),
}


def _processor(device: str, facts: Mapping) -> str:
    name, vlnv, master, clocks = PROCESSORS[device]
    ranges = _range(master, DMA, "S_AXI_LITE", DMA_BASE, 0x1_0000)
    ranges += _range(master, "accelerator_0", "s_axi_ctrl", REGISTERS_BASE, REGISTERS_RANGE)
    return _module(name, vlnv, clocks(facts["shell"]["clock_khz"] / 1000), {master: "MASTER"}, ranges)


def _dma(facts: Mapping) -> str:
    bits = facts["shell"]["beat_bits"]
    parameters = {"c_include_sg": 0, "c_micro_dma": 0, "c_sg_length_width": LENGTH_BITS}
    for side in ("mm2s", "s2mm"):
        parameters |= {f"c_include_{side}": 1, f"c_include_{side}_dre": 0, f"c_m_axi_{side}_data_width": bits}
    return _module(DMA, "xilinx.com:ip:axi_dma:7.1", parameters, {"S_AXI_LITE": "SLAVE"})


def _accelerator(facts: Mapping) -> str:
    name = facts["name"]
    return _module("accelerator_0", f"xilinx.com:module_ref:{name}_axi:1.0", {}, {"s_axi_ctrl": "SLAVE"})
