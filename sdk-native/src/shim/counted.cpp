// SPDX-License-Identifier: Apache-2.0
// Wrappers made from the table of calls, calls.def: collectives are counted; what isn't captured vetoes by name for as
// long as it is open, and is never silently wrong.
#include "collective_receives.hpp"
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

using Ranges = std::vector<MemoryRange>;

// Vetoes until the request has completed.
void trackPending(MPI_Comm comm, const MPI_Request* request, const char* call, Ranges receives) {
  if (!active() || *request == MPI_REQUEST_NULL) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  CommInfo* info = s.find(comm);
  if (!info) return;
  track(s, Kind::COLLECTIVE, info, *request, call)->receives = std::move(receives);
  s.ledger->veto(std::string(call) + " is pending");
}

void touchRanges(const Ranges& ranges) {
  for (const MemoryRange& range : ranges) touchWritten(reinterpret_cast<void*>(range.from), range.to - range.from);
}

void openWindow(const MPI_Win* window, const char* call) {
  if (!active()) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  std::string reason = std::string("a window of ") + call + " is open: one-sided communication is not captured";
  s.ledger->veto(reason);
  s.windows[*window] = reason;
}

// MPI allows one such pair at a time on a file handle.
void beginOnFile(MPI_File file, const char* call) {
  if (!active()) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  std::string reason = std::string(call) + " is pending";
  if (s.splitFiles.emplace(file, reason).second) s.ledger->veto(reason);
}

void endOnFile(MPI_File file) {
  if (!active()) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  auto at = s.splitFiles.find(file);
  if (at == s.splitFiles.end()) return;
  if (at->second.find("_read_") != std::string::npos) writtenAnywhere();
  s.ledger->unveto(at->second);
  s.splitFiles.erase(at);
}

// Files are the application's (contract, 7). Said by the first of the ranks that open one, once there is a commit:
// without it nothing is ever written again.
void warnOfOutput(MPI_Comm comm, const char* name, int mode) {
  if (!active() || !(mode & (MPI_MODE_WRONLY | MPI_MODE_RDWR)) || (mode & MPI_MODE_DELETE_ON_CLOSE)) return;
  int rank = 0;
  PMPI_Comm_rank(comm, &rank);
  if (rank != 0) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  if (!s.warning.empty()) return;
  s.warning = std::string("the program writes files by MPI-IO (MPI_File_open of ") + name +
              "). They are no part of a checkpoint: after a restore, what was written since the last commit is written " +
              "again. Write at offsets that follow from the program's state (MPI_File_write_at, a view), not at the " +
              "file's end or at a shared pointer. This is said once";
}

}  // namespace
}  // namespace cairn

using namespace cairn;

#define COLLECTIVE(name, parameters, arguments)                             \
  CAIRN_MPI int MPI_##name parameters {                                     \
    countCollective(comm, "MPI_" #name);                                    \
    int result = PMPI_##name arguments;                                     \
    if (anyTouched()) touchRanges(collectiveReceives::RECEIVES_##name);     \
    return result;                                                          \
  }

#define NONBLOCKING_COLLECTIVE(name, parameters, arguments)                      \
  CAIRN_MPI int MPI_##name parameters {                                          \
    countCollective(comm, "MPI_" #name);                                         \
    int result = PMPI_##name arguments;                                          \
    if (result == MPI_SUCCESS) {                                                 \
      trackPending(comm, request, "MPI_" #name,                                  \
                   anyTouched() ? collectiveReceives::RECEIVES_##name : Ranges()); \
    }                                                                            \
    return result;                                                               \
  }

#define WINDOW(name, parameters, arguments)                 \
  CAIRN_MPI int MPI_##name parameters {                     \
    int result = PMPI_##name arguments;                     \
    if (result == MPI_SUCCESS) openWindow(win, "MPI_" #name); \
    return result;                                          \
  }

// Under MPI_COMM_SELF: of which communicator the file is doesn't matter.
#define FILE_REQUEST(name, parameters, arguments)                                    \
  CAIRN_MPI int MPI_##name parameters {                                              \
    int result = PMPI_##name arguments;                                              \
    if (result == MPI_SUCCESS) trackPending(MPI_COMM_SELF, request, "MPI_" #name, Ranges());   \
    return result;                                                                   \
  }

#define FILE_BEGIN(name, parameters, arguments)                   \
  CAIRN_MPI int MPI_##name parameters {                           \
    int result = PMPI_##name arguments;                           \
    if (result == MPI_SUCCESS) beginOnFile(fh, "MPI_" #name);     \
    return result;                                                \
  }

#define FILE_END(name, parameters, arguments)           \
  CAIRN_MPI int MPI_##name parameters {                 \
    endOnFile(fh);                                      \
    return PMPI_##name arguments;                       \
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
  int result = PMPI_Win_free(win);
  // Others have put into its memory, and this process has got into any of its own. While it was open nothing was cut.
  writtenAnywhere();
  return result;
}

CAIRN_MPI int MPI_File_open(MPI_Comm comm, const char* filename, int amode, MPI_Info info, MPI_File* fh) {
  int result = PMPI_File_open(comm, filename, amode, info, fh);
  if (result == MPI_SUCCESS) warnOfOutput(comm, filename, amode);
  return result;
}

CAIRN_MPI int MPI_File_close(MPI_File* fh) {
  if (fh) endOnFile(*fh);
  return PMPI_File_close(fh);
}
