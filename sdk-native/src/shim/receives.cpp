// SPDX-License-Identifier: Apache-2.0
// Receives: first from the queue of drained and restored messages, then from MPI. Looking into the queue, posting and
// registering is one step under the lock; otherwise the agent could drain the message in between, and the receive would
// wait for ever.
#include <cstring>

#include "shim.hpp"

namespace cairn {

bool tooShort(const Payload& payload, int count, MPI_Datatype type) {
  MPI_Count size = 0;
  if (count < 0 || type == MPI_DATATYPE_NULL) return false;  // the receive says what is wrong
  PMPI_Type_size_x(type, &size);
  if (size <= 0) return payload.bytes > 0;
  uint64_t unit = static_cast<uint64_t>(size);
  return payload.bytes / unit + (payload.bytes % unit != 0) > static_cast<uint64_t>(count);
}

namespace {

// A send of a message for which the receive is too short. Open MPI 4.1.4 writes all of a longer one (for a message to
// self: over 1,024 bytes) into the receive's buffer and beyond it, but not when what is sent has a gap: then it copies
// piece by piece, and ends where the buffer ends. `keep` gets what must live as long as the send.
int sendWithGap(const Payload& payload, PayloadRef* keep, MPI_Request* request) {
  constexpr uint64_t second = 8;  // where the second byte is
  auto gapped = std::make_shared<Payload>(payload.bytes + second - 1);
  gapped->data[0] = payload.data[0];
  std::memcpy(gapped->data.get() + second, payload.data.get() + 1, payload.bytes - 1);
  ByteType rest(payload.bytes - 1);
  int lengths[2] = {1, rest.count};
  MPI_Aint offsets[2] = {0, second};
  MPI_Datatype types[2] = {MPI_BYTE, rest.type}, type;
  int result = PMPI_Type_create_struct(2, lengths, offsets, types, &type);
  if (result != MPI_SUCCESS) return result;
  PMPI_Type_commit(&type);
  result = PMPI_Isend(gapped->data.get(), 1, type, 0, 0, shim().self, request);
  PMPI_Type_free(&type);
  *keep = std::move(gapped);
  return result;
}

}  // namespace

// Only a real receive treats datatypes, partial elements, truncation and counts as MPI does. Sent first: Open MPI 4.1.4
// truncates a small message to self without an error when its receive was posted before.
int postReplay(const PayloadRef& payload, void* buffer, int count, MPI_Datatype type, MPI_Request* request,
               MPI_Request* replay, PayloadRef* keep) {
  Shim& s = shim();
  int result;
  if (unlikely(tooShort(*payload, count, type))) {
    result = sendWithGap(*payload, keep, replay);
  } else {
    ByteType bytes(payload->bytes);
    *keep = payload;
    result = PMPI_Isend(payload->data.get(), bytes.count, bytes.type, 0, 0, s.self, replay);
  }
  if (result != MPI_SUCCESS) return result;
  result = PMPI_Irecv(buffer, count, type, 0, 0, s.self, request);
  if (result != MPI_SUCCESS) {  // wrong arguments: takes it back
    Payload scratch(payload->bytes);
    ByteType bytes(payload->bytes);
    PMPI_Recv(scratch.data.get(), bytes.count, bytes.type, 0, 0, s.self, MPI_STATUS_IGNORE);
    PMPI_Wait(replay, MPI_STATUS_IGNORE);
    keep->reset();
  }
  return result;
}

void patch(MPI_Status& status, const CommInfo* comm, int source, int tag) {
  status.MPI_SOURCE = comm->memberOf(source);
  status.MPI_TAG = tag;
}

namespace {

// Serves a receive from the queue, if it has a message for it. Returns what posting said, or kNotQueued. Lock held.
constexpr int kNotQueued = -1;
__attribute__((noinline)) int receiveQueued(Shim& s, const CommInfo* info, void* buffer, int count, MPI_Datatype type,
                                            int source, int tag, MPI_Request* request, Receive** receive,
                                            PayloadRef* keep, MPI_Request* replay) {
  const Queued* queued = s.ledger->find(info->id, source, tag);
  if (!queued) return kNotQueued;
  int result = postReplay(queued->payload, buffer, count, type, request, replay, keep);
  if (result == MPI_SUCCESS) *receive = s.ledger->take(queued);  // else wrong arguments: the message stays
  return result;
}

// A receive that blocks: from looking into the queue to handing over.
class BlockingReceive {
 public:
  // Posts it. When `posted()` is false the caller receives by PMPI itself (nothing to account for, or an error).
  BlockingReceive(void* buffer, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm)
      : buffer_(buffer), type_(type) {
    Shim* s = running();
    if (unlikely(source == MPI_PROC_NULL || !s)) return;
    Guard guard(s->ledger->lock);
    CommInfo* info = s->find(comm);
    if (unlikely(!info || (source != MPI_ANY_SOURCE && !info->valid(source)))) return;
    int from = worldSource(info, source), with = ledgerTag(tag);
    int result = kNotQueued;
    if (unlikely(!s->ledger->queueEmpty())) {
      result = receiveQueued(*s, info, buffer, count, type, from, with, &request_, &receive_, &keep_, &replay_);
    }
    if (likely(result == kNotQueued)) {
      if (unlikely(PMPI_Irecv(buffer, count, type, source, tag, comm, &request_) != MPI_SUCCESS)) return;
      receive_ = s->ledger->post(info->id, from, with, true);
    } else if (result == MPI_SUCCESS) {
      receive_->busy.store(true, std::memory_order_relaxed);
    } else {
      return;  // the receive by PMPI says what is wrong
    }
    plain_ = isPlain(*s, type);
    comm_ = info;
    info->pending++;
  }

  bool posted() const { return comm_ != nullptr; }

  // Waits, and hands the message over. Call once, when posted.
  int wait(MPI_Status* statusOut) {
    MPI_Status status;
    int result = PMPI_Wait(&request_, &status);
    if (anyTouched()) touchReceived(buffer_, type_, plain_, status, result);
    if (unlikely(result != MPI_SUCCESS || !handedOver(status))) return handOverSlowly(statusOut, status, result);
    copyStatus(statusOut, status);
    return result;
  }

 private:
  bool handedOver(const MPI_Status& status) {
    Ledger& ledger = *shim().ledger;
    Guard guard(ledger.lock);
    if (unlikely(!handOverSimply(ledger, receive_, comm_, status))) return false;
    releaseComm(comm_);
    return true;
  }

  __attribute__((noinline)) int handOverSlowly(MPI_Status* statusOut, MPI_Status& status, int result) {
    MPI_Comm raise = MPI_COMM_NULL;
    if (keep_) {
      PMPI_Wait(&replay_, MPI_STATUS_IGNORE);
      patch(status, comm_, receive_->source, receive_->tag);
      if (result != MPI_SUCCESS) raise = comm_->handle;
    }
    {
      std::unique_lock<Lock> guard = handOver(receive_, comm_, buffer_, type_, status, result);
      releaseComm(comm_);
    }
    copyStatus(statusOut, status);
    // Errors of a replay are raised where the program listens.
    if (raise != MPI_COMM_NULL) PMPI_Comm_call_errhandler(raise, result);
    return result;
  }

  void* buffer_;
  MPI_Datatype type_;
  bool plain_ = true;
  CommInfo* comm_ = nullptr;
  Receive* receive_ = nullptr;
  PayloadRef keep_;
  MPI_Request request_ = MPI_REQUEST_NULL;
  MPI_Request replay_ = MPI_REQUEST_NULL;
};

// The program may free the type right away. Lock held.
void keepType(Tracked* tracked) {
  PMPI_Type_dup(tracked->type, &tracked->type);
  tracked->duplicated = true;
  tracked->simple = false;
}

// MPI_Irecv from the queue, if it has a message for it; returns as receiveQueued() does. Lock held.
__attribute__((noinline)) int postQueued(Shim& s, CommInfo* info, void* buffer, int count, MPI_Datatype type, int source,
                                         int tag, MPI_Request* request) {
  Receive* receive = nullptr;
  PayloadRef keep;
  MPI_Request replay = MPI_REQUEST_NULL;
  int result = receiveQueued(s, info, buffer, count, type, worldSource(info, source), ledgerTag(tag), request, &receive,
                             &keep, &replay);
  if (result != MPI_SUCCESS) return result;
  Tracked* tracked = track(s, Kind::RECEIVE, info, *request, "MPI_Irecv");
  tracked->receive = receive;
  tracked->buffer = buffer;
  tracked->count = count;
  tracked->type = type;
  tracked->replay = replay;
  tracked->keep = std::move(keep);
  tracked->source = receive->source;
  tracked->tag = receive->tag;
  receive->owner = tracked;
  if (!isPlain(s, type)) keepType(tracked);
  return result;
}

}  // namespace
}  // namespace cairn

using namespace cairn;

CAIRN_MPI int MPI_Recv(void* buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
                       MPI_Status* status) {
  BlockingReceive receive(buf, count, type, source, tag, comm);
  if (!receive.posted()) return PMPI_Recv(buf, count, type, source, tag, comm, status);
  return receive.wait(status);
}

CAIRN_MPI int MPI_Irecv(void* buf, int count, MPI_Datatype type, int source, int tag, MPI_Comm comm,
                        MPI_Request* request) {
  Shim* s = running();
  if (unlikely(source == MPI_PROC_NULL || !s)) return PMPI_Irecv(buf, count, type, source, tag, comm, request);
  Ledger& ledger = *s->ledger;
  Guard guard(ledger.lock);
  CommInfo* info = s->find(comm);
  if (unlikely(!info || (!info->valid(source) && source != MPI_ANY_SOURCE))) {
    return PMPI_Irecv(buf, count, type, source, tag, comm, request);
  }
  if (unlikely(!ledger.queueEmpty())) {
    int result = postQueued(*s, info, buf, count, type, source, tag, request);
    if (result != kNotQueued) return result;
  }
  int result = PMPI_Irecv(buf, count, type, source, tag, comm, request);
  if (unlikely(result != MPI_SUCCESS)) return result;
  Tracked* tracked = track(*s, Kind::RECEIVE, info, *request, "MPI_Irecv", true);
  tracked->receive = &tracked->own;
  tracked->buffer = buf;
  tracked->count = count;
  tracked->type = type;
  ledger.post(tracked->receive, info->id, worldSource(info, source), ledgerTag(tag));
  if (unlikely(!isPlain(*s, type))) keepType(tracked);
  return result;
}

CAIRN_MPI int MPI_Sendrecv(const void* sendbuf, int sendcount, MPI_Datatype sendtype, int dest, int sendtag,
                           void* recvbuf, int recvcount, MPI_Datatype recvtype, int source, int recvtag, MPI_Comm comm,
                           MPI_Status* status) {
  // One receive and one send. Posted first, so the send may block without harm.
  BlockingReceive receive(recvbuf, recvcount, recvtype, source, recvtag, comm);
  MPI_Request request = MPI_REQUEST_NULL;
  if (!receive.posted()) {
    int result = PMPI_Irecv(recvbuf, recvcount, recvtype, source, recvtag, comm, &request);
    if (result != MPI_SUCCESS) return result;
  }
  int sent = MPI_Send(sendbuf, sendcount, sendtype, dest, sendtag, comm);
  if (sent != MPI_SUCCESS && !receive.posted()) {
    PMPI_Cancel(&request);
    PMPI_Request_free(&request);
    return sent;
  }
  int received = receive.posted() ? receive.wait(status) : PMPI_Wait(&request, status);
  return sent != MPI_SUCCESS ? sent : received;
}

CAIRN_MPI int MPI_Sendrecv_replace(void* buf, int count, MPI_Datatype type, int dest, int sendtag, int source,
                                   int recvtag, MPI_Comm comm, MPI_Status* status) {
  if (!active()) return PMPI_Sendrecv_replace(buf, count, type, dest, sendtag, source, recvtag, comm, status);
  MPI_Count size = 0;
  PMPI_Type_size_x(type, &size);
  if (count < 0 || size < 0) return PMPI_Sendrecv_replace(buf, count, type, dest, sendtag, source, recvtag, comm, status);
  // The receive overwrites what is sent: a packed copy goes out.
  PayloadRef copy = gather(buf, type, static_cast<uint64_t>(size) * static_cast<uint64_t>(count));
  if (!copy) return PMPI_Comm_call_errhandler(comm, MPI_ERR_TYPE), MPI_ERR_TYPE;
  ByteType bytes(copy->bytes);
  return MPI_Sendrecv(copy->data.get(), bytes.count, bytes.type, dest, sendtag, buf, count, type, source, recvtag, comm,
                      status);
}
