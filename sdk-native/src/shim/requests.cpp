// SPDX-License-Identifier: Apache-2.0
// Requests that the program cancels, or frees before they have completed.
#include "shim.hpp"

namespace cairn {
namespace {

std::string freedReason(const Tracked* tracked) {
  return std::string("MPI_Request_free was called on an active ") + tracked->call +
         " whose message has not come: nobody will ask for it again after a restore";
}

}  // namespace

void settleFreed() {
  Shim& s = shim();
  struct Completed {
    Tracked* tracked;
    MPI_Status status;
  };
  std::vector<Completed> completed;
  {
    Guard guard(s.ledger->lock);
    std::vector<Tracked*> open;
    for (Tracked* tracked : s.freed) {
      int done = 0;
      MPI_Status status{};
      // Not a test: errors of a request that was freed are nobody's.
      PMPI_Request_get_status(tracked->request, &done, &status);
      if (!done) {
        open.push_back(tracked);
        continue;
      }
      if (tracked->receive) {
        tracked->receive->busy.store(true, std::memory_order_relaxed);
        s.ledger->unveto(freedReason(tracked));
      }
      completed.push_back({tracked, status});
    }
    s.freed.swap(open);
    s.freedMost = 2 * s.freed.size() + 64;
  }
  for (Completed& each : completed) {
    MPI_Request request = each.tracked->request;
    finish(each.tracked, each.status, each.status.MPI_ERROR);
    PMPI_Request_free(&request);
  }
}

void freeFreed() {
  Shim& s = shim();
  for (Tracked* tracked : s.freed) {
    MPI_Request request = tracked->request;
    PMPI_Request_free(&request);
  }
  s.freed.clear();
}

}  // namespace cairn

using namespace cairn;

CAIRN_MPI int MPI_Cancel(MPI_Request* request) {
  if (!request || *request == MPI_REQUEST_NULL || !active()) return PMPI_Cancel(request);
  if (persistentInUse.load(std::memory_order_relaxed)) {
    StandIns in(1, request);
    if (in.any()) return MPI_Cancel(in.data());
  }
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  Tracked* tracked = s.requests.find(*request);
  if (tracked) {
    tracked->cancelling = true;
    tracked->simple = false;
  }
  int result = PMPI_Cancel(request);
  // Another thread that waits for it will see how it ended. A send counts on: Open MPI cancels none.
  if (result != MPI_SUCCESS || !tracked || !tracked->receive || tracked->receive->busy.load(std::memory_order_acquire)) {
    return result;
  }
  int done = 0;
  MPI_Status status{};
  PMPI_Request_get_status(*request, &done, &status);
  if (done && wasCancelled(status)) {
    s.ledger->cancelled(tracked->receive);  // takes no message any more, whenever the program waits for it
    tracked->receive = nullptr;
    tracked->handedOver = true;
  }
  return result;
}

CAIRN_MPI int MPI_Request_free(MPI_Request* request) {
  int result = MPI_SUCCESS;
  if (request && persistentInUse.load(std::memory_order_relaxed) && freePersistent(request, &result)) return result;
  Tracked* tracked = request ? beginCompletion(*request) : nullptr;
  if (!tracked) return PMPI_Request_free(request);
  int done = 0;
  MPI_Status status{};
  PMPI_Request_get_status(*request, &done, &status);
  if (done) {
    finish(tracked, status, status.MPI_ERROR);
    return PMPI_Request_free(request);
  }
  // Nobody will ask for it any more, but it goes on: it is kept here until it has completed.
  Shim& s = shim();
  bool many;
  {
    Guard guard(s.ledger->lock);
    if (tracked->receive) tracked->receive->busy.store(false, std::memory_order_relaxed);
    s.freed.push_back(tracked);
    many = s.freed.size() > s.freedMost;
    if (tracked->receive) {
      // The program may change the buffer whenever it believes the message to be there: there would be nothing to copy.
      if (s.ledger->recording()) s.ledger->fail(freedReason(tracked));
      s.ledger->veto(freedReason(tracked));
    }
  }
  *request = MPI_REQUEST_NULL;
  if (many) settleFreed();
  return MPI_SUCCESS;
}
