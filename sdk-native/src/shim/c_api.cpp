// SPDX-License-Identifier: Apache-2.0
// The functions of cairn.h, for programs without Java.
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "cairn.h"
#include "shim.hpp"

using namespace cairn;

namespace {

// Calls no MPI, unlike cairn::running(). MPI_Finalize leaves the ledger where it is: another thread may be looking at it.
bool counting() {
  return runningShim.load(std::memory_order_acquire) || drainsAlways.load(std::memory_order_acquire);
}

std::string described() {
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  return s.ledger->dump();
}

}  // namespace

extern "C" {

int cairn_api_version(void) { return CAIRN_API_VERSION; }

const char* cairn_version(void) { return CAIRN_VERSION; }

const char* cairn_problem(void) { return shim().failure.empty() ? nullptr : shim().failure.c_str(); }

int cairn_counters(cairn_counters_t* counters, size_t bytes) {
  if (!counters || bytes == 0 || bytes % sizeof(uint64_t) != 0) return CAIRN_BAD_ARGUMENT;
  std::memset(counters, 0, bytes);
  if (!counting()) return CAIRN_NOT_RUNNING;
  cairn_counters_t now{};
  {
    Ledger& ledger = *shim().ledger;
    Guard guard(ledger.lock);
    LedgerTotals totals = ledger.totals();
    LedgerStatistics statistics = ledger.statistics();
    now.sent = totals.sent;
    now.received = totals.received;
    now.collectives = totals.collectives;
    now.drained = statistics.drained;
    now.replayed = statistics.replayed;
    now.queued = statistics.queued;
    ledger.eachPending([&](const Receive&) { now.pending++; });
    now.channels = ledger.channels();
    now.late = statistics.late;
    now.bare_cuts = statistics.bareCuts;
  }
  std::memcpy(counters, &now, std::min(bytes, sizeof now));
  return CAIRN_OK;
}

int cairn_dump(FILE* out) {
  if (!out) return CAIRN_BAD_ARGUMENT;
  if (!counting()) return CAIRN_NOT_RUNNING;
  std::string text = described();
  bool written = fwrite(text.data(), 1, text.size(), out) == text.size() && fflush(out) == 0;
  return written ? CAIRN_OK : CAIRN_IO_ERROR;
}

int cairn_dump_fd(int fd) {
  if (fd < 0) return CAIRN_BAD_ARGUMENT;
  if (!counting()) return CAIRN_NOT_RUNNING;
  std::string text = described();
  for (size_t done = 0; done < text.size();) {
    ssize_t now = write(fd, text.data() + done, text.size() - done);
    if (now < 0 && errno != EINTR) return CAIRN_IO_ERROR;
    if (now > 0) done += static_cast<size_t>(now);
  }
  return CAIRN_OK;
}
}
