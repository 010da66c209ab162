// SPDX-License-Identifier: Apache-2.0
// Persistent requests. Each start is a message of its own: it is made by the non-blocking call of the same kind, which
// counts, captures and replays it, and the program's handle stands for that call's request until it has completed. MPI's
// own persistent request stays inactive behind the handle: it checked the arguments, and keeps the handle unique.
#include "shim.hpp"

namespace cairn {

struct Persistent {
  int (*start)(Persistent&) = nullptr;
  const char* call = "";
  void* buffer = nullptr;
  int count = 0;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  bool duplicated = false;  // `type` is ours to free
  int peer = 0;
  int tag = 0;
  MPI_Comm comm = MPI_COMM_NULL;
  uint64_t communicator = 0;  // the handle may be another communicator's after a free
  MPI_Request active = MPI_REQUEST_NULL;
};

namespace {

int startReceive(Persistent& p) { return MPI_Irecv(p.buffer, p.count, p.type, p.peer, p.tag, p.comm, &p.active); }

template <int (*SEND)(const void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request*)>
int startSend(Persistent& p) {
  return SEND(p.buffer, p.count, p.type, p.peer, p.tag, p.comm, &p.active);
}

// Takes note of a persistent request that MPI has just made. What isn't noted is started by MPI itself: no message
// (MPI_PROC_NULL), or none of the program's.
int note(int result, Persistent p, const MPI_Request* request) {
  if (result != MPI_SUCCESS || p.peer == MPI_PROC_NULL || !active()) return result;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  CommInfo* info = s.find(p.comm);
  if (!info) return result;
  p.communicator = info->id;
  if (!isPlain(s, p.type)) {  // the program may free it right away
    PMPI_Type_dup(p.type, &p.type);
    p.duplicated = true;
  }
  s.persistent[*request] = new Persistent(p);
  persistentInUse.store(true, std::memory_order_relaxed);
  return result;
}

// Lock held.
Persistent* find(MPI_Request request) {
  auto at = shim().persistent.find(request);
  return at == shim().persistent.end() ? nullptr : at->second;
}

}  // namespace

std::atomic<bool> persistentInUse{false};

StandIns::StandIns(int count, MPI_Request requests[]) {
  if (!requests || count <= 0) return;
  Guard guard(shim().ledger->lock);
  for (int i = 0; i < count; i++) {
    Persistent* found = find(requests[i]);
    if (!found || found->active == MPI_REQUEST_NULL) continue;
    if (owners_.empty()) copies_.assign(requests, requests + count);
    owners_.emplace_back(static_cast<size_t>(i), found);
    copies_[static_cast<size_t>(i)] = found->active;
  }
  requests_ = requests;
}

StandIns::~StandIns() {
  if (owners_.empty()) return;
  Guard guard(shim().ledger->lock);
  auto owner = owners_.begin();
  for (size_t i = 0; i < copies_.size(); i++) {
    if (owner != owners_.end() && owner->first == i) {
      owner->second->active = copies_[i];  // the handle stays: inactive once its stand-in is gone
      ++owner;
    } else {
      requests_[i] = copies_[i];
    }
  }
}

bool freePersistent(MPI_Request* request, int* result) {
  Shim& s = shim();
  Persistent* found;
  {
    Guard guard(s.ledger->lock);
    found = find(*request);
    if (!found) return false;
    s.persistent.erase(*request);
    persistentInUse.store(!s.persistent.empty(), std::memory_order_relaxed);
  }
  if (found->active != MPI_REQUEST_NULL) MPI_Request_free(&found->active);
  if (found->duplicated) PMPI_Type_free(&found->type);
  delete found;
  *result = PMPI_Request_free(request);
  return true;
}

}  // namespace cairn

using namespace cairn;

CAIRN_MPI int MPI_Send_init(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                            MPI_Request* request) {
  return note(PMPI_Send_init(buf, count, type, dest, tag, comm, request),
              {startSend<MPI_Isend>, "MPI_Send_init", const_cast<void*>(buf), count, type, false, dest, tag, comm}, request);
}

CAIRN_MPI int MPI_Bsend_init(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                             MPI_Request* request) {
  return note(PMPI_Bsend_init(buf, count, type, dest, tag, comm, request),
              {startSend<MPI_Ibsend>, "MPI_Bsend_init", const_cast<void*>(buf), count, type, false, dest, tag, comm}, request);
}

CAIRN_MPI int MPI_Ssend_init(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                             MPI_Request* request) {
  return note(PMPI_Ssend_init(buf, count, type, dest, tag, comm, request),
              {startSend<MPI_Issend>, "MPI_Ssend_init", const_cast<void*>(buf), count, type, false, dest, tag, comm}, request);
}

CAIRN_MPI int MPI_Rsend_init(const void* buf, int count, MPI_Datatype type, int dest, int tag, MPI_Comm comm,
                             MPI_Request* request) {
  return note(PMPI_Rsend_init(buf, count, type, dest, tag, comm, request),
              {startSend<MPI_Irsend>, "MPI_Rsend_init", const_cast<void*>(buf), count, type, false, dest, tag, comm}, request);
}

CAIRN_MPI int MPI_Recv_init(void* buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
                            MPI_Request* request) {
  return note(PMPI_Recv_init(buf, count, type, source, tag, comm, request),
              {startReceive, "MPI_Recv_init", buf, count, type, false, source, tag, comm}, request);
}

CAIRN_MPI int MPI_Start(MPI_Request* request) {
  if (!request || !active() || !persistentInUse.load(std::memory_order_relaxed)) return PMPI_Start(request);
  Shim& s = shim();
  Persistent* found;
  {
    Guard guard(s.ledger->lock);
    found = find(*request);
    if (found) {
      CommInfo* info = s.find(found->comm);
      if (!info || info->id != found->communicator) {
        // Its communicator lives on for this request only; nothing of ours can post on it.
        s.ledger->veto(std::string("a request of ") + found->call + " was started after its communicator was freed");
        found = nullptr;
      }
    }
  }
  if (!found) return PMPI_Start(request);
  if (found->active != MPI_REQUEST_NULL) {
    PMPI_Comm_call_errhandler(found->comm, MPI_ERR_REQUEST);
    return MPI_ERR_REQUEST;
  }
  return found->start(*found);
}

CAIRN_MPI int MPI_Startall(int count, MPI_Request requests[]) {
  if (!requests || !active() || !persistentInUse.load(std::memory_order_relaxed)) {
    return PMPI_Startall(count, requests);
  }
  for (int i = 0; i < count; i++) {
    int result = MPI_Start(&requests[i]);
    if (result != MPI_SUCCESS) return result;
  }
  return MPI_SUCCESS;
}
