// The loop around a Verilated design with a clock and a serial line (clk_25mhz, ftdi_txd, ftdi_rxd); a C interface for
// ctypes (uart.py).
//
// The host's end of the line is simulated bit by bit: 8N1 both ways, with bit times of its own (in 1/256 of a clock cycle), as
// a USB chip would do it. Only bytes cross the interface. Faults come from a seeded generator, so a run can be repeated.
#include "ports.h"

#include "Vtop.h"
#include "verilated.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <exception>
#include <stdexcept>
#include <string>

// Same layout as uart.Faults.
struct Faults {
    uint64_t flip_to_fpga;    // probability * 2^32 that a bit on the line is inverted, start and stop bits included
    uint64_t flip_to_host;
    uint64_t drop_to_fpga;    // probability * 2^32 that a byte is lost
    uint64_t drop_to_host;
    uint64_t cut;             // the line is cut: bytes are lost in both directions
    uint64_t seed;
};

struct Line {
    std::deque<uint8_t> bytes;
    bool busy = false;        // a byte is on its way
    int bit = 0;              // of 10: start, 8 data, stop
    uint32_t shift = 0;       // the bits still to send, or those read
    int64_t due = 0;          // when the next bit begins (sending) or is read (receiving), 1/256 cycle
};

struct Sim {
    VerilatedContext context;
    Vtop* top = nullptr;
    Line to_fpga, to_host;
    Faults faults = {};
    uint64_t random = 1;
    int64_t bit_time = 0;     // of the host, 1/256 cycle
    int64_t now = 0;          // cycles
};

// What the RTL reports ($stop, $fatal, a memory image that is missing) ends the run, not the process.
static void raise(const char* file, int line, const char* text) {
    throw std::runtime_error(std::string(file ? file : "") + (line ? ":" + std::to_string(line) : "") + ": " + text);
}
void vl_stop(const char* file, int line, const char*) { raise(file, line, "the RTL executed $stop or an assertion failed"); }
void vl_fatal(const char* file, int line, const char*, const char* text) { raise(file, line, text); }
void vl_warn(const char* file, int line, const char*, const char* text) { raise(file, line, text); }

static inline bool chance(Sim* sim, uint64_t probability) {
    if (!probability) return false;
    uint64_t& state = sim->random;  // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return (state * 0x2545f4914f6cdd1dULL >> 32) < probability;
}

// The level the host drives in this cycle.
static inline void send(Sim* sim, int64_t time) {
    Line& line = sim->to_fpga;
    if (line.busy && time < line.due) return;
    if (line.busy && line.bit == 10) line.busy = false;
    if (!line.busy) {
        do {
            if (line.bytes.empty()) {
                sim->top->ftdi_txd = 1;
                return;
            }
            line.shift = line.bytes.front() << 1 | 0x200;
            line.bytes.pop_front();
        } while (sim->faults.cut || chance(sim, sim->faults.drop_to_fpga));
        const bool follows = time - line.due < 256;  // keeps the bit grid from byte to byte
        line.busy = true;
        line.bit = 0;
        line.due = follows ? line.due : time;
    }
    sim->top->ftdi_txd = (line.shift & 1) ^ chance(sim, sim->faults.flip_to_fpga);
    line.shift >>= 1;
    line.bit++;
    line.due += sim->bit_time;
}

// What the host reads of the line in this cycle.
static inline void receive(Sim* sim, int64_t time) {
    Line& line = sim->to_host;
    const bool level = sim->top->ftdi_rxd;
    if (!line.busy) {
        if (level) return;
        line.busy = true;
        line.bit = 0;
        line.shift = 0;
        line.due = time + sim->bit_time / 2;
        return;
    }
    if (time < line.due) return;
    const bool read = level ^ chance(sim, sim->faults.flip_to_host);
    line.shift |= (uint32_t)read << line.bit;
    line.due += sim->bit_time;
    if (line.bit == 0 && read) line.busy = false;  // no start bit: noise
    if (++line.bit < 10) return;
    line.busy = false;
    const bool framed = line.shift >> 9 & 1;  // a byte without a stop bit is dropped, as by a USB chip's driver
    if (framed && !sim->faults.cut && !chance(sim, sim->faults.drop_to_host))
        line.bytes.push_back(line.shift >> 1 & 0xff);
}

#define EXPORT extern "C" __attribute__((visibility("default")))

// Load memory images relative to `folder` (they are read in the first evaluation).
EXPORT Sim* uart_new(const char* folder, uint64_t seed, uint64_t bit_time, char* message, size_t size) {
    Sim* sim = new Sim;
    sim->bit_time = (int64_t)bit_time;
    const int home = open(".", O_RDONLY | O_DIRECTORY);
    try {
        if (*folder && chdir(folder)) throw std::runtime_error(std::string("cannot enter the folder ") + folder);
        sim->context.randReset(2);
        sim->context.randSeed((int)(seed & 0x7fffffff) + 1);
        sim->top = new Vtop(&sim->context, "TOP");
        sim->top->clk_25mhz = 0;
        sim->top->ftdi_txd = 1;
        sim->top->eval();
        if (home >= 0 && fchdir(home)) throw std::runtime_error("cannot return to the previous folder");
    } catch (const std::exception& error) {
        if (home >= 0 && fchdir(home)) {}
        snprintf(message, size, "%s", error.what());
        sim = nullptr;  // the half-made model is left alone: its state is unknown
    }
    if (home >= 0) close(home);
    return sim;
}

EXPORT void uart_faults(Sim* sim, const Faults* faults) {
    sim->faults = *faults;
    sim->random = faults->seed * 2 + 1;
}

EXPORT void uart_write(Sim* sim, const uint8_t* bytes, uint64_t count) {
    sim->to_fpga.bytes.insert(sim->to_fpga.bytes.end(), bytes, bytes + count);
}

// Bytes written and not yet on the line.
EXPORT uint64_t uart_unsent(Sim* sim) { return sim->to_fpga.bytes.size(); }

EXPORT uint64_t uart_waiting(Sim* sim) { return sim->to_host.bytes.size(); }

EXPORT int64_t uart_now(Sim* sim) { return sim->now; }

EXPORT void uart_read(Sim* sim, uint8_t* bytes, uint64_t count) {
    auto& queue = sim->to_host.bytes;
    std::copy(queue.begin(), queue.begin() + (int64_t)count, bytes);
    queue.erase(queue.begin(), queue.begin() + (int64_t)count);
}

// Run until `wanted` bytes wait for the host or `cycles` have passed; 0, or 1 with a message when the RTL stopped.
EXPORT int uart_run(Sim* sim, uint64_t cycles, uint64_t wanted, char* message, size_t size) {
    try {
        for (uint64_t i = 0; i < cycles && sim->to_host.bytes.size() < wanted; i++, sim->now++) {
            const int64_t time = sim->now * 256;
            send(sim, time);
            sim->top->clk_25mhz = 0;
            sim->top->eval();
            receive(sim, time);
            sim->top->clk_25mhz = 1;
            sim->top->eval();
        }
    } catch (const std::exception& error) {
        snprintf(message, size, "%s", error.what());
        return 1;
    }
    return 0;
}

EXPORT void uart_delete(Sim* sim) {
    delete sim->top;
    delete sim;
}
