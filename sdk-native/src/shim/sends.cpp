// SPDX-License-Identifier: Apache-2.0
// Sends: counted on their channel, then passed on. A pending send needs nothing else: it counts as sent, its message is
// in the channel or received, and it is never sent again after a restore.
#include "shim.hpp"

namespace cairn {
namespace {

// Counts a send for as long as it lives, unless it fails.
class CountedSend {
 public:
  CountedSend(MPI_Comm comm, int destination, int tag, bool synchronous = false) : tag_(tag) {
    if (destination == MPI_PROC_NULL || !active()) return;
    Shim& s = shim();
    Guard guard(s.ledger->lock);
    CommInfo* info = s.find(comm);
    if (!info || !info->valid(destination) || tag < 0) return;  // MPI says what is wrong with it
    comm_ = info;
    destination_ = info->world[static_cast<size_t>(destination)];
    s.ledger->sent(info->id, destination_, tag);
    if (synchronous) {
      s.ledger->synchronous(info->id, destination_, tag, 1);
      info->pending++;
    }
  }

  int returned(int result) {
    if (result != MPI_SUCCESS && comm_) {
      Shim& s = shim();
      Guard guard(s.ledger->lock);
      s.ledger->unsent(comm_->id, destination_, tag_);
    }
    return result;
  }

  // A synchronous send has returned: done, failed, or to be watched until its request completes.
  int returned(int result, MPI_Request* request, const char* call) {
    if (comm_) {
      Shim& s = shim();
      Guard guard(s.ledger->lock);
      if (result == MPI_SUCCESS && request) {
        Tracked* tracked = newTracked(Kind::SYNCHRONOUS_SEND, comm_, call);
        tracked->request = *request;
        tracked->destination = destination_;
        tracked->tag = tag_;
        s.requests.insert(tracked);
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

CAIRN_MPI int MPI_Send(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) {
  return CountedSend(comm, dest, tag).returned(PMPI_Send(buf, count, type, dest, tag, comm));
}

CAIRN_MPI int MPI_Bsend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) {
  return CountedSend(comm, dest, tag).returned(PMPI_Bsend(buf, count, type, dest, tag, comm));
}

// The receive that a ready send counts on may be served from the queue: only a plain send is right then.
CAIRN_MPI int MPI_Rsend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) {
  return CountedSend(comm, dest, tag).returned(PMPI_Send(buf, count, type, dest, tag, comm));
}

CAIRN_MPI int MPI_Ssend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm) {
  CountedSend send(comm, dest, tag, true);
  return send.returned(PMPI_Ssend(buf, count, type, dest, tag, comm), nullptr, "MPI_Ssend");
}

CAIRN_MPI int MPI_Isend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                        MPI_Request* request) {
  return CountedSend(comm, dest, tag).returned(PMPI_Isend(buf, count, type, dest, tag, comm, request));
}

CAIRN_MPI int MPI_Ibsend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                         MPI_Request* request) {
  return CountedSend(comm, dest, tag).returned(PMPI_Ibsend(buf, count, type, dest, tag, comm, request));
}

CAIRN_MPI int MPI_Irsend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                         MPI_Request* request) {
  return CountedSend(comm, dest, tag).returned(PMPI_Isend(buf, count, type, dest, tag, comm, request));
}

CAIRN_MPI int MPI_Issend(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                         MPI_Request* request) {
  CountedSend send(comm, dest, tag, true);
  return send.returned(PMPI_Issend(buf, count, type, dest, tag, comm, request), request, "MPI_Issend");
}
