// SPDX-License-Identifier: Apache-2.0
// Lets a C program of two ranks be in the middle of an epoch, without an agent: both are cut, and know what the other had
// sent. Until its end each received message is looked at, whether it belongs to the channel state.
#include <mpi.h>

#include <cstdint>
#include <cstdio>
#include <dlfcn.h>
#include <mutex>
#include <vector>

#include "ledger.hpp"

using cairn::Ledger;
using cairn::Lock;
using cairn::Marker;

namespace {

uint64_t epoch = 0;

Ledger& ledger() {
  using Handle = int64_t(void*, void*, int64_t);
  static Handle* handle = reinterpret_cast<Handle*>(dlsym(RTLD_DEFAULT, "Java_io_cairn_natives_Shim_ledgerHandle"));
  if (!handle) {
    std::fprintf(stderr, "messaging: found no libcairn.so in this process, expected it in LD_PRELOAD\n");
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  return *reinterpret_cast<Ledger*>(handle(nullptr, nullptr, 1 << 30));
}

void require(bool condition, const char* otherwise) {
  if (condition) return;
  std::fprintf(stderr, "messaging: epoch %llu: %s\n", static_cast<unsigned long long>(epoch), otherwise);
  MPI_Abort(MPI_COMM_WORLD, 1);
}

}  // namespace

// Collective, while no message is in flight. Lasts until end_epoch().
extern "C" void begin_epoch() {
  int rank = 0;
  PMPI_Comm_rank(MPI_COMM_WORLD, &rank);
  PMPI_Barrier(MPI_COMM_WORLD);
  Ledger& own = ledger();
  std::vector<Marker> markers;
  if (own.beforeCut) own.beforeCut();
  {
    std::lock_guard<Lock> guard(own.lock);
    epoch++;
    require(own.cut(epoch, static_cast<int64_t>(epoch), markers), own.refusal().c_str());
  }
  int other = 1 - rank;
  std::vector<char> mine, theirs(1 << 16);
  for (const Marker& marker : markers) {
    if (marker.destination == other) mine = marker.bytes;
  }
  MPI_Status status;
  PMPI_Sendrecv(mine.data(), static_cast<int>(mine.size()), MPI_BYTE, other, 1, theirs.data(),
                static_cast<int>(theirs.size()), MPI_BYTE, other, 1, MPI_COMM_WORLD, &status);
  int bytes = 0;
  PMPI_Get_count(&status, MPI_BYTE, &bytes);
  std::lock_guard<Lock> guard(own.lock);
  if (bytes > 0) own.accept(other, epoch, theirs.data(), static_cast<size_t>(bytes));
  own.markersClosed();
  require(own.fault().empty(), own.fault().c_str());
  require(own.missing() == 0, "messages cross its cut");
}

extern "C" void end_epoch() {
  Ledger& own = ledger();
  std::lock_guard<Lock> guard(own.lock);
  require(own.recording(), "nothing was recorded");
  require(own.fault().empty(), own.fault().c_str());
  own.abandon();
}
