// SPDX-License-Identifier: Apache-2.0
// Probes ask the queue first. A blocking probe polls: the message it waits for may come to the queue instead of to MPI.
#include <sched.h>

#include "shim.hpp"

namespace cairn {
namespace {

// The communicator, if a probe on it is any business of ours. Lock held.
CommInfo* probed(MPI_Comm comm, int source) {
  CommInfo* info = shim().find(comm);
  return info && (source == MPI_ANY_SOURCE || info->valid(source)) ? info : nullptr;
}

void describe(const Queued* message, const CommInfo* info, MPI_Status* status) {
  if (status == MPI_STATUS_IGNORE) return;
  MPI_Status found{};
  PMPI_Status_set_elements_x(&found, MPI_BYTE, static_cast<MPI_Count>(message->payload->bytes));
  PMPI_Status_set_cancelled(&found, 0);
  patch(found, info, message->source, message->tag);
  copyStatus(status, found);
}

// A message that a matched probe takes out of the queue becomes a real MPI message: a self-send, matched at once.
int matchQueued(const Queued* queued, CommInfo* info, MPI_Message* message, MPI_Status* status) {
  Shim& s = shim();
  Matched entry{info, nullptr, queued->payload, MPI_REQUEST_NULL};
  ByteType bytes(queued->payload->bytes);
  int result = PMPI_Isend(queued->payload->data.get(), bytes.count, bytes.type, 0, 0, s.self, &entry.replay);
  if (result == MPI_SUCCESS) result = PMPI_Mprobe(0, 0, s.self, message, MPI_STATUS_IGNORE);
  if (result != MPI_SUCCESS) return result;
  describe(queued, info, status);
  entry.receive = s.ledger->take(queued);
  entry.receive->busy.store(true, std::memory_order_relaxed);
  info->pending++;
  s.matched.emplace(*message, entry);
  s.ledger->veto("a message matched by MPI_Mprobe or MPI_Improbe has not been received");
  return result;
}

int matchedProbe(int source, int tag, MPI_Comm comm, int* flag, MPI_Message* message, MPI_Status* status) {
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  CommInfo* info = probed(comm, source);
  if (!info) return PMPI_Improbe(source, tag, comm, flag, message, status);
  const Queued* queued = s.ledger->find(info->id, worldSource(info, source), ledgerTag(tag));
  if (queued) {
    *flag = 1;
    return matchQueued(queued, info, message, status);
  }
  MPI_Status mine{};
  int result = PMPI_Improbe(source, tag, comm, flag, message, &mine);
  if (result == MPI_SUCCESS && *flag && *message != MPI_MESSAGE_NO_PROC) {
    Receive* receive = s.ledger->post(info->id, worldSource(info, mine.MPI_SOURCE), mine.MPI_TAG);
    receive->busy.store(true, std::memory_order_relaxed);
    info->pending++;
    s.matched.emplace(*message, Matched{info, receive, nullptr, MPI_REQUEST_NULL});
    s.ledger->veto("a message matched by MPI_Mprobe or MPI_Improbe has not been received");
  }
  if (*flag) copyStatus(status, mine);
  return result;
}

// Takes the entry of a matched message out of the table; false if it isn't one of ours.
bool takeMatched(MPI_Message message, Matched& entry) {
  if (!active()) return false;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  auto at = s.matched.find(message);
  if (at == s.matched.end()) return false;
  entry = at->second;
  s.matched.erase(at);
  return true;
}

// A message from the queue for which the receive is too short can't be received as it was matched (see sendWithGap): it
// is taken back, and sent again. Lock held.
int postTooShort(Matched& entry, void* buffer, int count, MPI_Datatype type, MPI_Message* message,
                 MPI_Request* request) {
  PayloadRef payload = std::move(entry.keep);
  Payload scratch(payload->bytes);
  ByteType bytes(payload->bytes);
  int result = PMPI_Mrecv(scratch.data.get(), bytes.count, bytes.type, message, MPI_STATUS_IGNORE);
  PMPI_Wait(&entry.replay, MPI_STATUS_IGNORE);
  return result == MPI_SUCCESS ? postReplay(payload, buffer, count, type, request, &entry.replay, &entry.keep) : result;
}

void receivedMatched() {
  shim().ledger->unveto("a message matched by MPI_Mprobe or MPI_Improbe has not been received");
}

}  // namespace
}  // namespace cairn

using namespace cairn;

CAIRN_MPI int MPI_Iprobe(int source, int tag, MPI_Comm comm, int* flag, MPI_Status* status) {
  if (source == MPI_PROC_NULL || !active()) return PMPI_Iprobe(source, tag, comm, flag, status);
  Shim& s = shim();
  // Under the lock to the end: if the agent drained the message between the two looks, a younger one would be found.
  Guard guard(s.ledger->lock);
  CommInfo* info = s.ledger->queueEmpty() ? nullptr : probed(comm, source);
  const Queued* queued = info ? s.ledger->find(info->id, worldSource(info, source), ledgerTag(tag)) : nullptr;
  if (queued) {
    *flag = 1;
    describe(queued, info, status);
    return MPI_SUCCESS;
  }
  return PMPI_Iprobe(source, tag, comm, flag, status);
}

CAIRN_MPI int MPI_Probe(int source, int tag, MPI_Comm comm, MPI_Status* status) {
  if (source == MPI_PROC_NULL || !active()) return PMPI_Probe(source, tag, comm, status);
  for (;;) {
    int flag = 0;
    int result = MPI_Iprobe(source, tag, comm, &flag, status);
    if (result != MPI_SUCCESS || flag) return result;
    sched_yield();
  }
}

CAIRN_MPI int MPI_Improbe(int source, int tag, MPI_Comm comm, int* flag, MPI_Message* message, MPI_Status* status) {
  if (source == MPI_PROC_NULL || !active()) return PMPI_Improbe(source, tag, comm, flag, message, status);
  return matchedProbe(source, tag, comm, flag, message, status);
}

CAIRN_MPI int MPI_Mprobe(int source, int tag, MPI_Comm comm, MPI_Message* message, MPI_Status* status) {
  if (source == MPI_PROC_NULL || !active()) return PMPI_Mprobe(source, tag, comm, message, status);
  for (;;) {
    int flag = 0;
    int result = matchedProbe(source, tag, comm, &flag, message, status);
    if (result != MPI_SUCCESS || flag) return result;
    sched_yield();
  }
}

CAIRN_MPI int MPI_Mrecv(void* buf, int count, MPI_Datatype type, MPI_Message* message, MPI_Status* status) {
  Matched entry;
  if (!message || !takeMatched(*message, entry)) return PMPI_Mrecv(buf, count, type, message, status);
  MPI_Status mine{};
  int result;
  MPI_Comm raise = MPI_COMM_NULL;
  if (entry.keep && tooShort(*entry.keep, count, type)) {
    MPI_Request request = MPI_REQUEST_NULL;
    {
      Guard guard(shim().ledger->lock);
      result = postTooShort(entry, buf, count, type, message, &request);
    }
    if (result == MPI_SUCCESS) result = PMPI_Wait(&request, &mine);
  } else {
    result = PMPI_Mrecv(buf, count, type, message, &mine);
  }
  if (anyTouched()) touchReceived(buf, type, false, mine, result);
  if (entry.keep) {
    PMPI_Wait(&entry.replay, MPI_STATUS_IGNORE);
    patch(mine, entry.comm, entry.receive->source, entry.receive->tag);
    if (result != MPI_SUCCESS) raise = entry.comm->handle;
  }
  {
    std::unique_lock<Lock> guard = handOver(entry.receive, entry.comm, buf, type, mine, result);
    copyStatus(status, mine);
    receivedMatched();
    releaseComm(entry.comm);
  }
  // Errors of a replay are raised where the program listens.
  if (raise != MPI_COMM_NULL) PMPI_Comm_call_errhandler(raise, result);
  return result;
}

CAIRN_MPI int MPI_Imrecv(void* buf, int count, MPI_Datatype type, MPI_Message* message, MPI_Request* request) {
  Matched entry;
  if (!message || !takeMatched(*message, entry)) return PMPI_Imrecv(buf, count, type, message, request);
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  int result;
  if (entry.keep && tooShort(*entry.keep, count, type)) {
    result = postTooShort(entry, buf, count, type, message, request);
    if (result != MPI_SUCCESS) return result;
  } else {
    result = PMPI_Imrecv(buf, count, type, message, request);
    if (result != MPI_SUCCESS) {
      s.matched.emplace(*message, entry);
      return result;
    }
  }
  // The veto goes with the request: a restored program could not post this receive again.
  Tracked* tracked = track(s, Kind::RECEIVE, entry.comm, *request, "MPI_Imrecv");
  tracked->receive = entry.receive;
  tracked->buffer = buf;
  tracked->count = count;
  tracked->type = type;
  tracked->replay = entry.replay;
  tracked->keep = entry.keep;
  tracked->source = entry.receive->source;
  tracked->tag = entry.receive->tag;
  if (!isPlain(s, type)) {
    PMPI_Type_dup(type, &tracked->type);
    tracked->duplicated = true;
  }
  entry.receive->owner = tracked;
  entry.receive->busy.store(false, std::memory_order_relaxed);
  receivedMatched();
  releaseComm(entry.comm);
  return result;
}
