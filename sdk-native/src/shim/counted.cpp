// SPDX-License-Identifier: Apache-2.0
// Wrappers made from the table of calls, calls.def: collectives are counted, what isn't captured is refused by name, never
// silently wrong.
#include "shim.hpp"

namespace cairn {

void countCollective(MPI_Comm comm, const char* call) {
  if (!active()) return;
  Shim& s = shim();
  if (unlikely(s.hold.held())) heldCollective(comm, call);
  Guard guard(s.ledger->lock);
  if (CommInfo* info = s.find(comm)) s.ledger->collective(info->id, call);
}

namespace {

void trackCollective(MPI_Comm comm, const MPI_Request* request, const char* call) {
  if (!active() || *request == MPI_REQUEST_NULL) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  CommInfo* info = s.find(comm);
  if (!info) return;
  track(s, Kind::COLLECTIVE, info, *request, call);
  s.ledger->veto(std::string(call) + " is pending");
}

void openWindow(const MPI_Win* window, const char* call) {
  if (!active()) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  std::string reason = std::string("a window of ") + call + " is open: one-sided communication is not captured";
  s.ledger->veto(reason);
  s.windows[*window] = reason;
}

void refuse(const char* call, const char* what) {
  if (!active()) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  s.ledger->veto(std::string(call) + " was called: " + what + " are not captured yet");
}

}  // namespace
}  // namespace cairn

using namespace cairn;

#define COLLECTIVE(name, parameters, arguments)  \
  CAIRN_MPI int MPI_##name parameters {          \
    countCollective(comm, "MPI_" #name);         \
    return PMPI_##name arguments;                \
  }

#define NONBLOCKING_COLLECTIVE(name, parameters, arguments)                      \
  CAIRN_MPI int MPI_##name parameters {                                          \
    countCollective(comm, "MPI_" #name);                                         \
    int result = PMPI_##name arguments;                                          \
    if (result == MPI_SUCCESS) trackCollective(comm, request, "MPI_" #name);     \
    return result;                                                               \
  }

#define WINDOW(name, parameters, arguments)                 \
  CAIRN_MPI int MPI_##name parameters {                     \
    int result = PMPI_##name arguments;                     \
    if (result == MPI_SUCCESS) openWindow(win, "MPI_" #name); \
    return result;                                          \
  }

#define REFUSED(name, parameters, arguments, what) \
  CAIRN_MPI int MPI_##name parameters {            \
    refuse("MPI_" #name, what);                    \
    return PMPI_##name arguments;                  \
  }

#include "calls.def"

CAIRN_MPI int MPI_Win_free(MPI_Win* win) {
  if (active()) {
    Shim& s = shim();
    Guard guard(s.ledger->lock);
    auto at = s.windows.find(*win);
    if (at != s.windows.end()) {
      s.ledger->unveto(at->second);
      s.windows.erase(at);
    }
  }
  return PMPI_Win_free(win);
}
