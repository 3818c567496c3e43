// A board top around its AXI4-Lite master and its two DMA streams, all in one clock; a C interface for ctypes (soc.py).
//
// Time passes only inside soc_run, soc_read and soc_write. A cycle is two evaluations: with the clock low the inputs settle
// and the handshakes are read, with the clock high the registers step. A register access may wait; the streams run on
// meanwhile. "ports.h" gives the widths: BEAT_BITS.
#include "ports.h"

#include "Vtop.h"
#include "verilated.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>

constexpr size_t kBeatBytes = BEAT_BITS / 8;
constexpr int kResetCycles = 8;

enum Receive : uint64_t { kIdle, kTaking, kEnded, kOverflow };
enum Status : int { kOk, kNoAnswer = -1, kStopped = -2 };

// Same layout as soc.State.
struct State {
    uint64_t cycles;             // since power on
    uint64_t send_beats, sent;   // of the packet being sent; equal when there is none
    uint64_t room, received;     // beats the buffer holds, beats taken
    uint64_t receiving;          // enum Receive
    uint64_t in_stall, out_stall;  // probability * 2^32 that source or sink pauses for a cycle
    uint64_t random;
    const uint8_t* send_data;
    uint8_t* receive_data;
    char message[512];
};

struct Soc {
    State state = {};
    VerilatedContext context;
    Vtop* top = nullptr;
    bool in_valid = false;
};

static void raise(const char* file, int line, const char* text) {
    throw std::runtime_error(std::string(file ? file : "") + (line ? ":" + std::to_string(line) : "") + ": " + text);
}
void vl_stop(const char* file, int line, const char*) { raise(file, line, "the RTL executed $stop or an assertion failed"); }
void vl_fatal(const char* file, int line, const char*, const char* text) { raise(file, line, text); }
void vl_warn(const char* file, int line, const char*, const char* text) { raise(file, line, text); }

static uint64_t next_random(uint64_t& state) {  // xorshift64*
    state ^= state >> 12;
    state ^= state << 25;
    state ^= state >> 27;
    return state * 0x2545f4914f6cdd1dULL;
}

static void eval(Vtop* top, int clock) {
    top->aclk = clock;
    top->eval();
}

// Handshakes of the register bus in one cycle.
struct Answers {
    bool aw, w, b, ar, r;
};

// While valid is low the data is rubbish on purpose: a design that looks at it fails.
static void drive_input(Soc* soc, uint32_t dice) {
    State& s = soc->state;
    Vtop* top = soc->top;
    if (!soc->in_valid && s.sent < s.send_beats && dice >= s.in_stall) {
        soc->in_valid = true;
        memcpy(&top->s_axis_in_tdata, s.send_data + s.sent * kBeatBytes, kBeatBytes);
        top->s_axis_in_tlast = s.sent + 1 == s.send_beats;
    } else if (!soc->in_valid) {
        memset(&top->s_axis_in_tdata, 0xa5, kBeatBytes);
        top->s_axis_in_tlast = 1;
    }
    top->s_axis_in_tvalid = soc->in_valid;
}

static Answers cycle(Soc* soc) {
    State& s = soc->state;
    Vtop* top = soc->top;
    const uint64_t dice = s.in_stall || s.out_stall ? next_random(s.random) : ~0ULL;
    drive_input(soc, (uint32_t)dice);
    const bool ready = s.receiving == kTaking && dice >> 32 >= s.out_stall;
    top->m_axis_out_tready = ready && s.received < s.room;
    eval(top, 0);
    const Answers answers = {
        top->s_axi_ctrl_awvalid && top->s_axi_ctrl_awready, top->s_axi_ctrl_wvalid && top->s_axi_ctrl_wready,
        top->s_axi_ctrl_bvalid && top->s_axi_ctrl_bready,   top->s_axi_ctrl_arvalid && top->s_axi_ctrl_arready,
        top->s_axi_ctrl_rvalid && top->s_axi_ctrl_rready,
    };
    const bool taken = soc->in_valid && top->s_axis_in_tready;
    if (ready && top->m_axis_out_tvalid) {
        if (s.received == s.room) {
            s.receiving = kOverflow;
        } else {
            memcpy(s.receive_data + s.received++ * kBeatBytes, &top->m_axis_out_tdata, kBeatBytes);
            if (top->m_axis_out_tlast) s.receiving = kEnded;
        }
    }
    eval(top, 1);
    if (taken) s.sent++, soc->in_valid = false;
    s.cycles++;
    return answers;
}

static void reset(Soc* soc) {
    Vtop* top = soc->top;
    top->aresetn = 0;
    top->s_axi_ctrl_awvalid = top->s_axi_ctrl_wvalid = top->s_axi_ctrl_arvalid = 0;
    top->s_axi_ctrl_bready = top->s_axi_ctrl_rready = 0;
    soc->in_valid = false;
    soc->state.send_beats = soc->state.sent = 0;
    soc->state.receiving = kIdle;
    for (int i = 0; i < kResetCycles; i++) cycle(soc);
    top->aresetn = 1;
}

template <typename Body>
static int guarded(Soc* soc, Body body) {
    try {
        return body();
    } catch (const std::exception& error) {
        snprintf(soc->state.message, sizeof soc->state.message, "%s", error.what());
        return kStopped;
    }
}

#define EXPORT extern "C" __attribute__((visibility("default")))

// Power on: load memory images relative to `folder` (they are read in the first evaluation) and reset.
EXPORT Soc* soc_new(const char* folder, uint64_t seed, char* message, size_t size) {
    Soc* soc = new Soc;
    const int home = open(".", O_RDONLY | O_DIRECTORY);
    try {
        if (*folder && chdir(folder)) throw std::runtime_error(std::string("cannot enter the folder ") + folder);
        soc->context.randReset(2);
        soc->context.randSeed((int)(seed & 0x7fffffff) + 1);
        soc->state.random = seed * 2 + 1;
        soc->top = new Vtop(&soc->context, "TOP");
        soc->top->aresetn = 0;
        eval(soc->top, 0);
        if (home >= 0 && fchdir(home)) throw std::runtime_error("cannot return to the previous folder");
        reset(soc);
    } catch (const std::exception& error) {
        if (home >= 0 && fchdir(home)) {}
        snprintf(message, size, "%s", error.what());
        soc = nullptr;  // the half-made model is left alone: its state is unknown
    }
    if (home >= 0) close(home);
    return soc;
}

EXPORT State* soc_state(Soc* soc) { return &soc->state; }

EXPORT int soc_reset(Soc* soc) {
    return guarded(soc, [&] { return reset(soc), kOk; });
}

// The source lets go of a word it has offered: what a DMA does when it is reset in the middle of a packet.
EXPORT void soc_drop(Soc* soc) {
    soc->in_valid = false;
    soc->state.send_beats = soc->state.sent = 0;
}

// Run up to `cycles`; if `until_event`, return when a packet has been sent or received.
EXPORT int soc_run(Soc* soc, uint64_t cycles, int until_event) {
    return guarded(soc, [&] {
        State& s = soc->state;
        for (uint64_t i = 0; i < cycles; i++) {
            const bool sending = s.sent < s.send_beats;
            const uint64_t receiving = s.receiving;
            cycle(soc);
            if (until_event && ((sending && s.sent == s.send_beats) || receiving != s.receiving)) break;
        }
        return kOk;
    });
}

// Returns RRESP (0 is OKAY), or kNoAnswer after `limit` cycles.
EXPORT int soc_read(Soc* soc, uint32_t offset, uint32_t* value, uint64_t limit) {
    return guarded(soc, [&] {
        Vtop* top = soc->top;
        top->s_axi_ctrl_araddr = offset;
        top->s_axi_ctrl_arvalid = top->s_axi_ctrl_rready = 1;
        int answer = kNoAnswer;
        for (uint64_t i = 0; i < limit && answer == kNoAnswer; i++) {
            // The answer is read before the clock edge that takes it.
            eval(top, 0);
            const uint32_t data = top->s_axi_ctrl_rdata;
            const int response = top->s_axi_ctrl_rresp;
            const Answers now = cycle(soc);
            if (now.ar) top->s_axi_ctrl_arvalid = 0;
            if (now.r) *value = data, answer = response;
        }
        top->s_axi_ctrl_arvalid = top->s_axi_ctrl_rready = 0;
        return answer;
    });
}

// Returns BRESP (0 is OKAY), or kNoAnswer after `limit` cycles.
EXPORT int soc_write(Soc* soc, uint32_t offset, uint32_t value, uint64_t limit) {
    return guarded(soc, [&] {
        Vtop* top = soc->top;
        top->s_axi_ctrl_awaddr = offset;
        top->s_axi_ctrl_wdata = value;
        top->s_axi_ctrl_wstrb = 0xf;
        top->s_axi_ctrl_awvalid = top->s_axi_ctrl_wvalid = top->s_axi_ctrl_bready = 1;
        int answer = kNoAnswer;
        for (uint64_t i = 0; i < limit && answer == kNoAnswer; i++) {
            eval(top, 0);
            const int response = top->s_axi_ctrl_bresp;
            const Answers now = cycle(soc);
            if (now.aw) top->s_axi_ctrl_awvalid = 0;
            if (now.w) top->s_axi_ctrl_wvalid = 0;
            if (now.b) answer = response;
        }
        top->s_axi_ctrl_awvalid = top->s_axi_ctrl_wvalid = top->s_axi_ctrl_bready = 0;
        return answer;
    });
}

EXPORT void soc_delete(Soc* soc) {
    delete soc->top;
    delete soc;
}
