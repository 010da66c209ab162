// SPDX-License-Identifier: Apache-2.0
// Start and end of MPI under the shim.
#include "shim.hpp"

#include <cstdio>

namespace cairn {

std::atomic<Shim*> runningShim{nullptr};

Shim& shim() {
  // Never destroyed: MPI calls may come from exit handlers.
  static Shim* one = new Shim;
  return *one;
}

namespace {

int initialise(int* argc, char*** argv, int* providedOut) {
  Shim& s = shim();
  s.initialised = true;
  int provided = MPI_THREAD_SINGLE;
  // The agent communicates beside the application, whatever the application asked for.
  int result = PMPI_Init_thread(argc, argv, MPI_THREAD_MULTIPLE, &provided);
  if (providedOut) *providedOut = provided;
  if (result != MPI_SUCCESS) return result;
  if (provided < MPI_THREAD_MULTIPLE) {
    s.failure = "this MPI provides thread level " + std::to_string(provided) + ", Cairn needs MPI_THREAD_MULTIPLE (" +
                std::to_string(MPI_THREAD_MULTIPLE) + "); use an Open MPI that was built with thread support";
    return result;
  }
  PMPI_Comm_rank(MPI_COMM_WORLD, &s.rank);
  PMPI_Comm_size(MPI_COMM_WORLD, &s.size);
  PMPI_Comm_dup(MPI_COMM_SELF, &s.self);
  PMPI_Comm_set_errhandler(s.self, MPI_ERRORS_RETURN);
  s.ledger = std::make_unique<Ledger>(s.rank);
  s.ledger->beforeCut = settleFreed;
  registerPredefined();
  s.hold.open();
  if (wantsAlways()) {
    startAlways();
  } else {
    runningShim.store(&s, std::memory_order_release);
  }
  return result;
}

}  // namespace
}  // namespace cairn

using namespace cairn;

CAIRN_MPI int MPI_Init(int* argc, char*** argv) { return initialise(argc, argv, nullptr); }

CAIRN_MPI int MPI_Init_thread(int* argc, char*** argv, int, int* provided) { return initialise(argc, argv, provided); }

CAIRN_MPI int MPI_Finalize(void) {
  Shim& s = shim();
  // The agents still talk, and an epoch may be pending: they end together, then MPI does. A rank that died meanwhile
  // ends the job through mpirun, as it would inside MPI_Finalize.
  {
    std::unique_lock<std::mutex> guard(s.endMutex);
    s.finalizing = true;
    s.end.notify_all();
    s.end.wait(guard, [&] { return !s.agent; });
  }
  s.hold.close();
  bool always = drainsAlways.exchange(false);
  if (always) endAlways();
  if (runningShim.exchange(nullptr) || always) {
    freeFreed();
    PMPI_Comm_free(&s.self);
  }
  return PMPI_Finalize();
}
