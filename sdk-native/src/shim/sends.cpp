// SPDX-License-Identifier: Apache-2.0
// Sends: passed on, and counted on their channel. A pending send needs nothing else: it counts as sent, its message is in
// the channel or received, and it is never sent again after a restore.
#include "shim.hpp"

namespace cairn {
namespace {

// Counts a plain send that has returned. After it and not before, because a message on its way needn't wait for that: no
// safe point lies between, as a thread that sends is not in one, and only at a safe point are the counts looked at.
inline int counted(int result, MPI_Comm comm, int destination, int tag) {
  Shim* s = running();
  if (unlikely(!s || result != MPI_SUCCESS || destination == MPI_PROC_NULL)) return result;
  Guard guard(s->ledger->lock);
  if (CommInfo* info = s->find(comm)) s->ledger->sent(info->id, info->world[static_cast<size_t>(destination)], tag);
  return result;
}

// Counts a synchronous send for as long as it lives, unless it fails, and says that it is pending.
class SynchronousSend {
 public:
  SynchronousSend(MPI_Comm comm, int destination, int tag) : tag_(tag) {
    if (destination == MPI_PROC_NULL || !active()) return;
    Shim& s = shim();
    s.hold.synchronous();
    Guard guard(s.ledger->lock);
    CommInfo* info = s.find(comm);
    if (!info || !info->valid(destination) || tag < 0) return;  // MPI says what is wrong with it
    comm_ = info;
    destination_ = info->world[static_cast<size_t>(destination)];
    s.ledger->sent(info->id, destination_, tag);
    s.ledger->synchronous(info->id, destination_, tag, 1);
    info->pending++;
  }

  // It has returned: done, failed, or to be watched until its request completes.
  int returned(int result, MPI_Request* request, const char* call) {
    if (comm_) {
      Shim& s = shim();
      Guard guard(s.ledger->lock);
      if (result == MPI_SUCCESS && request) {
        Tracked* tracked = track(s, Kind::SYNCHRONOUS_SEND, comm_, *request, call);
        tracked->destination = destination_;
        tracked->tag = tag_;
      } else {
        s.ledger->synchronous(comm_->id, destination_, tag_, -1);
        if (result != MPI_SUCCESS) s.ledger->unsent(comm_->id, destination_, tag_);
      }
      releaseComm(comm_);
    }
    return result;
  }

 private:
  CommInfo* comm_ = nullptr;
  int destination_ = 0;
  int tag_;
};

}  // namespace
}  // namespace cairn

using namespace cairn;

// A held rank's send waits first. In the debug mode it is started by `start`, and counted in the same step.
#define SEND_WITH_CARE(start, waits, request)                                                 \
  if (sendsWithCare() && dest != MPI_PROC_NULL) {                                             \
    heldSend(comm, dest, tag);                                                                \
    if (drainsAlways.load(std::memory_order_acquire)) {                                       \
      if (waits) shim().hold.synchronous();                                                   \
      return sendAlways({start, __func__, waits, buf, count, type, dest, tag, comm}, request); \
    }                                                                                         \
  }

CAIRN_MPI int MPI_Send(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) {
  SEND_WITH_CARE(PMPI_Isend, false, nullptr)
  return counted(PMPI_Send(buf, count, type, dest, tag, comm), comm, dest, tag);
}

CAIRN_MPI int MPI_Bsend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) {
  SEND_WITH_CARE(PMPI_Ibsend, false, nullptr)
  return counted(PMPI_Bsend(buf, count, type, dest, tag, comm), comm, dest, tag);
}

// The receive that a ready send counts on may be served from the queue: only a plain send is right then.
CAIRN_MPI int MPI_Rsend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) {
  SEND_WITH_CARE(PMPI_Isend, false, nullptr)
  return counted(PMPI_Send(buf, count, type, dest, tag, comm), comm, dest, tag);
}

CAIRN_MPI int MPI_Ssend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) {
  SEND_WITH_CARE(PMPI_Issend, true, nullptr)
  SynchronousSend send(comm, dest, tag);
  return send.returned(PMPI_Ssend(buf, count, type, dest, tag, comm), nullptr, "MPI_Ssend");
}

CAIRN_MPI int MPI_Isend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                        MPI_Request* request) {
  SEND_WITH_CARE(PMPI_Isend, false, request)
  return counted(PMPI_Isend(buf, count, type, dest, tag, comm, request), comm, dest, tag);
}

CAIRN_MPI int MPI_Ibsend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                         MPI_Request* request) {
  SEND_WITH_CARE(PMPI_Ibsend, false, request)
  return counted(PMPI_Ibsend(buf, count, type, dest, tag, comm, request), comm, dest, tag);
}

CAIRN_MPI int MPI_Irsend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                         MPI_Request* request) {
  SEND_WITH_CARE(PMPI_Isend, false, request)
  return counted(PMPI_Isend(buf, count, type, dest, tag, comm, request), comm, dest, tag);
}

CAIRN_MPI int MPI_Issend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                         MPI_Request* request) {
  SEND_WITH_CARE(PMPI_Issend, true, request)
  SynchronousSend send(comm, dest, tag);
  return send.returned(PMPI_Issend(buf, count, type, dest, tag, comm, request), request, "MPI_Issend");
}
