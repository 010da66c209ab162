// SPDX-License-Identifier: Apache-2.0
// Past the deadline, late messages are taken to where they can be saved: copied out of receives that MPI has filled but
// the application hasn't asked about, and off the network into the queue.
#include "shim.hpp"

namespace cairn {

namespace {

void peekPending() {
  Shim& s = shim();
  s.ledger->eachPending([&](Receive& receive) {
    // A busy receive is in the application's hands: the call it is in hands the message over.
    if (receive.busy.load(std::memory_order_acquire) || receive.matched || !receive.owner) return;
    if (!s.ledger->mayBeLate(&receive)) return;
    auto* tracked = static_cast<Tracked*>(receive.owner);
    int flag = 0;
    MPI_Status status{};
    if (PMPI_Request_get_status(tracked->request, &flag, &status) != MPI_SUCCESS || !flag) return;
    if (wasCancelled(status) || !tracked->comm->valid(status.MPI_SOURCE)) return;
    int source = tracked->comm->world[static_cast<size_t>(status.MPI_SOURCE)];
    PayloadRef payload = gather(tracked->buffer, tracked->type, receivedBytes(status), isPlain(s, tracked->type));
    if (payload) s.ledger->peeked(&receive, source, status.MPI_TAG, std::move(payload));
  });
}

}  // namespace

bool drainOne(CommInfo* info, int member, int tag) {
  Shim& s = shim();
  int flag = 0;
  MPI_Message message;
  MPI_Status status{};
  if (PMPI_Improbe(member, tag, info->handle, &flag, &message, &status) != MPI_SUCCESS || !flag) return false;
  int source = info->world[static_cast<size_t>(status.MPI_SOURCE)];
  auto payload = std::make_shared<Payload>(receivedBytes(status));
  ByteType bytes(payload->bytes);
  // Under the lock to the end: a receive that looks for the message meanwhile must find it in the queue.
  if (PMPI_Mrecv(payload->data.get(), bytes.count, bytes.type, &message, MPI_STATUS_IGNORE) != MPI_SUCCESS) {
    s.ledger->fail("a message from rank " + std::to_string(source) + ", tag " + std::to_string(status.MPI_TAG) +
                   " could not be drained");
    return false;
  }
  s.ledger->drained(info->id, source, status.MPI_TAG, std::move(payload));
  return true;
}

void drain() {
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  peekPending();
  for (bool progress = true; progress;) {
    progress = false;
    for (const auto& wish : s.ledger->drainable()) {
      auto at = s.byId.find(wish.first);
      // Whatever its tag: messages of one source must stay in order.
      if (at != s.byId.end()) progress |= drainOne(at->second, at->second->memberOf(wish.second), MPI_ANY_TAG);
    }
  }
}

// For a rank that is cut and held in a call: what arrives was sent before its sender's cut, and its sender may have to
// wait until it is taken, before it comes to its own.
void drainHeld() {
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  for (const auto& entry : s.comms) {
    while (s.ledger->hasRoom() && drainOne(entry.second, MPI_ANY_SOURCE, MPI_ANY_TAG)) continue;
  }
}

}  // namespace cairn
