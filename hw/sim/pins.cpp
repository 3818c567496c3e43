// A Verilated design clocked cycle by cycle from Python, all its pins in and out; a C interface for ctypes (pins.py).
//
// "ports.h" is written per design: CLOCK is the clock's name, EACH_INPUT(P) and EACH_OUTPUT(P) apply P to the name of every other
// port, DESCRIPTION says the same as text. Values are the ports' own bytes, one port after the other.
#include "ports.h"

#include "Vtop.h"
#include "verilated.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

struct Sim {
    VerilatedContext context;
    Vtop* top = nullptr;
};

// What the RTL reports ($stop, $fatal, a failed assertion, a memory image that is missing) is an error here, not an exit.
static void raise(const char* file, int line, const char* text) {
    throw std::runtime_error(std::string(file ? file : "") + (line ? ":" + std::to_string(line) : "") + ": " + text);
}
void vl_stop(const char* file, int line, const char*) { raise(file, line, "the RTL executed $stop or an assertion failed"); }
void vl_fatal(const char* file, int line, const char*, const char* text) { raise(file, line, text); }
void vl_warn(const char* file, int line, const char*, const char* text) { raise(file, line, text); }

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT const char* pins_describe() { return DESCRIPTION; }

// Memory images are looked up relative to `folder`; they are read in the first evaluation.
EXPORT Sim* pins_new(const char* folder, uint64_t seed, char* message, size_t size) {
    Sim* sim = new Sim;
    const int home = open(".", O_RDONLY | O_DIRECTORY);
    try {
        if (*folder && chdir(folder)) throw std::runtime_error(std::string("cannot enter the folder ") + folder);
        sim->context.randReset(2);
        sim->context.randSeed((int)(seed & 0x7fffffff) + 1);
        sim->top = new Vtop(&sim->context, "TOP");
        sim->top->CLOCK = 0;
        sim->top->eval();
    } catch (const std::exception& error) {
        snprintf(message, size, "%s", error.what());
        sim = nullptr;  // the half-made model is left alone: its state is unknown
    }
    if (home >= 0 && fchdir(home)) {}
    if (home >= 0) close(home);
    return sim;
}

// One cycle: with the clock low the inputs settle and the outputs are read, then the clock rises. 0, or 1 with a message.
EXPORT int pins_cycle(Sim* sim, const uint8_t* in, uint8_t* out, char* message, size_t size) {
    Vtop* const top = sim->top;
    try {
#define DRIVE(port) memcpy(&top->port, in, sizeof top->port), in += sizeof top->port;
        EACH_INPUT(DRIVE)
        top->CLOCK = 0;
        top->eval();
#define READ(port) memcpy(out, &top->port, sizeof top->port), out += sizeof top->port;
        EACH_OUTPUT(READ)
        top->CLOCK = 1;
        top->eval();
    } catch (const std::exception& error) {
        snprintf(message, size, "%s", error.what());
        return 1;
    }
    return 0;
}

EXPORT void pins_delete(Sim* sim) {
    delete sim->top;
    delete sim;
}
