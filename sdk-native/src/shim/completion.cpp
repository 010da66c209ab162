// SPDX-License-Identifier: Apache-2.0
// Completion: a message counts as received when a call hands it to the application. Handles are looked up before the
// call, because MPI overwrites them, and statuses are our own where the caller ignores them.
#include <memory>
#include <type_traits>

#include "shim.hpp"

namespace cairn {

// --- the table of tracked requests -----------------------------------------------------------------------------------

// Not where it was looked for first: elsewhere, new, or the handle of one that is active still.
Tracked* RequestTable::enter(MPI_Request request) {
  if ((entries_ + 1) * 2 > slots_.size()) makeRoom();
  size_t i = home(request);
  while (slots_[i].tracked && slots_[i].request != request) i = (i + 1) & mask_;
  Tracked* found = slots_[i].tracked;
  if (found && !found->active) return found;
  if (found) {
    // The old owner's thread is between MPI's return and forget(): the handle is the new request's now.
    found->displaced = true;
    found->simple = false;
  } else {
    entries_++;
  }
  slots_[i] = {request, new Tracked(request)};
  return slots_[i].tracked;
}

// Forgets the handles that are not in use, and doubles if that doesn't make much room.
void RequestTable::makeRoom() {
  size_t active = 0;
  for (Slot& slot : slots_) {
    if (!slot.tracked) continue;
    if (slot.tracked->active) {
      active++;
    } else {
      delete slot.tracked;
      slot = {};
    }
  }
  std::vector<Slot> old(active * 8 > slots_.size() ? slots_.size() * 2 : slots_.size());
  old.swap(slots_);
  mask_ = slots_.size() - 1;
  shift_ = 64 - __builtin_ctzll(slots_.size());
  entries_ = active;
  for (const Slot& each : old) {
    if (!each.tracked) continue;
    size_t i = home(each.request);
    while (slots_[i].tracked) i = (i + 1) & mask_;
    slots_[i] = each;
  }
}

// --- the steps of a completion ---------------------------------------------------------------------------------------

namespace {

// finish() for the usual case; false if it isn't: nothing is done then. Lock held.
CAIRN_INLINE bool finishSimple(Shim& s, Tracked* tracked, const MPI_Status& status) {
  if (unlikely(!tracked->simple || !handOverSimply(*s.ledger, tracked->receive, tracked->comm, status))) return false;
  releaseComm(tracked->comm);
  s.requests.end(tracked);
  return true;
}

}  // namespace

void forget(Tracked* tracked) {
  if (tracked->duplicated) PMPI_Type_free(&tracked->type);
  tracked->keep.reset();
  tracked->receives.clear();
  tracked->replay = MPI_REQUEST_NULL;
  tracked->handedOver = tracked->duplicated = tracked->cancelling = false;
  releaseComm(tracked->comm);
  shim().requests.end(tracked);
}

Tracked* beginCompletion(MPI_Request request) {
  Shim* s = running();
  if (request == MPI_REQUEST_NULL || !s || s->requests.empty()) return nullptr;
  Guard guard(s->ledger->lock);
  Tracked* tracked = s->requests.find(request);
  if (tracked && tracked->receive) tracked->receive->busy.store(true, std::memory_order_relaxed);
  return tracked;
}

void endWithoutCompletion(Tracked* tracked) {
  if (tracked && tracked->receive) tracked->receive->busy.store(false, std::memory_order_release);
}

bool wasCancelled(const MPI_Status& status) {
  int cancelled = 0;
  PMPI_Test_cancelled(&status, &cancelled);
  return cancelled;
}

std::unique_lock<Lock> handOver(Receive* receive, CommInfo* comm, const void* buffer, MPI_Datatype type,
                                const MPI_Status& status, int result, bool cancelled) {
  Ledger& ledger = *shim().ledger;
  std::unique_lock<Lock> guard(ledger.lock);
  // A receive that failed otherwise than by truncation has taken no message.
  if (cancelled || (result != MPI_SUCCESS && result != MPI_ERR_TRUNCATE) || !comm->valid(status.MPI_SOURCE)) {
    ledger.cancelled(receive);
    return guard;
  }
  int source = comm->world[static_cast<size_t>(status.MPI_SOURCE)];
  int tag = status.MPI_TAG;
  PayloadRef payload;
  if (ledger.wants(receive, source, tag)) {
    guard.unlock();  // the receive is busy: nobody else touches it while the bytes are copied
    payload = result == MPI_SUCCESS ? gather(buffer, type, receivedBytes(status)) : nullptr;
    guard.lock();
    if (!payload) {
      ledger.fail("a late message from rank " + std::to_string(source) + ", tag " + std::to_string(tag) +
                  " can't be captured: " +
                  (result == MPI_SUCCESS ? "its datatype can't be packed" : "it was truncated by its receive"));
    }
  }
  ledger.completed(receive, source, tag, std::move(payload));
  return guard;
}

namespace {

// The application knows now that the request has completed; `status` is corrected for a replayed message.
std::unique_lock<Lock> tell(Tracked* tracked, MPI_Status& status, int result) {
  Ledger& ledger = *shim().ledger;
  bool first = !tracked->handedOver;
  tracked->handedOver = true;
  if (tracked->kind == Kind::RECEIVE) {
    if (tracked->keep) {
      if (first) PMPI_Wait(&tracked->replay, MPI_STATUS_IGNORE);
      patch(status, tracked->comm, tracked->source, tracked->tag);
    }
    if (first) {
      Receive* receive = tracked->receive;
      tracked->receive = nullptr;
      bool cancelled = tracked->cancelling && wasCancelled(status);
      return handOver(receive, tracked->comm, tracked->buffer, tracked->type, status, result, cancelled);
    }
  }
  std::unique_lock<Lock> guard(ledger.lock);
  if (first && tracked->kind == Kind::SYNCHRONOUS_SEND) {
    ledger.synchronous(tracked->comm->id, tracked->destination, tracked->tag, -1);
  }
  if (first && tracked->kind == Kind::CREATION) created(tracked->comm, result == MPI_SUCCESS);
  if (first && tracked->kind >= Kind::COLLECTIVE) ledger.unveto(std::string(tracked->call) + " is pending");
  return guard;
}

}  // namespace

void finish(Tracked* tracked, MPI_Status& status, int result) {
  if (anyTouched()) touchTracked(tracked, status, result);
  if (result == MPI_SUCCESS) {
    Shim& s = shim();
    Guard guard(s.ledger->lock);
    if (finishSimple(s, tracked, status)) return;
  }
  std::unique_lock<Lock> guard = tell(tracked, status, result);
  forget(tracked);
}

namespace {

// Small arrays on the stack, large ones on the heap. Nothing is cleared.
template <class T>
class Array {
 public:
  explicit Array(int n) : heap_(n > kInline ? new T[static_cast<size_t>(n)] : nullptr) {
    data_ = heap_ ? heap_.get() : reinterpret_cast<T*>(inline_);
  }
  T& operator[](int i) { return data_[i]; }
  T* data() { return data_; }

 private:
  static_assert(std::is_trivial<T>::value, "not cleared");
  static constexpr int kInline = 128;
  std::unique_ptr<T[]> heap_;
  T* data_;
  alignas(T) char inline_[kInline * sizeof(T)];
};

// Looks all handles up under one lock; says whether any is tracked. If not, `tracked` may be unset.
bool beginAll(int n, MPI_Request requests[], Array<Tracked*>& tracked) {
  Shim* s = running();
  if (!s || s->requests.empty() || n <= 0) return false;
  bool any = false;
  Guard guard(s->ledger->lock);
  for (int i = 0; i < n; i++) {
    Tracked* found = requests[i] == MPI_REQUEST_NULL ? nullptr : s->requests.find(requests[i]);
    tracked[i] = found;
    if (!found) continue;
    if (found->receive) found->receive->busy.store(true, std::memory_order_relaxed);
    any = true;
  }
  return any;
}

void endOthers(int n, Array<Tracked*>& tracked) {
  for (int i = 0; i < n; i++) endWithoutCompletion(tracked[i]);
}

// Finishes the usual ones under one lock; says whether these were all.
bool finishAllSimple(int n, MPI_Request requests[], Array<Tracked*>& tracked, MPI_Status statuses[]) {
  Shim& s = shim();
  bool all = true;
  Guard guard(s.ledger->lock);
  for (int i = 0; i < n; i++) {
    if (!tracked[i]) continue;
    if (likely(requests[i] == MPI_REQUEST_NULL && finishSimple(s, tracked[i], statuses[i]))) {
      tracked[i] = nullptr;
    } else {
      all = false;
    }
  }
  return all;
}

// After a call that completed all requests, or failed.
void finishAll(int n, MPI_Request requests[], Array<Tracked*>& tracked, MPI_Status statuses[], int result) {
  if (anyTouched() && result == MPI_SUCCESS) {  // else it is finish() that does it
    for (int i = 0; i < n; i++) {
      if (tracked[i] && requests[i] == MPI_REQUEST_NULL) touchTracked(tracked[i], statuses[i], result);
    }
  }
  if (result == MPI_SUCCESS && finishAllSimple(n, requests, tracked, statuses)) return;
  for (int i = 0; i < n; i++) {
    if (!tracked[i]) continue;
    int error = result == MPI_ERR_IN_STATUS ? statuses[i].MPI_ERROR : result;
    // A request that is still there has not completed (another one's error ended the call).
    if (error == MPI_ERR_PENDING || requests[i] != MPI_REQUEST_NULL) {
      endWithoutCompletion(tracked[i]);
    } else {
      finish(tracked[i], statuses[i], error);
    }
  }
}

// Whether the program has ever said what is to become of errors; else they end it.
std::atomic<bool> errorsAreHandled{false};

// Where several threads may be in MPI, Open MPI 4.1 never returns from MPI_Waitall if one of the requests had failed
// before the call. It is the shim that asks for several threads. So a program that sees errors gets the same from calls
// that do return; in one that doesn't, a failed request is its end.
int waitAll(int count, MPI_Request requests[], MPI_Status statuses[]) {
  if (likely(!errorsAreHandled.load(std::memory_order_relaxed)) || count <= 0) return PMPI_Waitall(count, requests, statuses);
  MPI_Status empty{};
  MPI_Request none = MPI_REQUEST_NULL;
  int flag = 0;
  PMPI_Test(&none, &flag, &empty);
  for (int i = 0; i < count; i++) {
    statuses[i] = empty;
    statuses[i].MPI_ERROR = requests[i] == MPI_REQUEST_NULL ? MPI_SUCCESS : MPI_ERR_PENDING;
  }
  Array<int> indices(count);
  Array<MPI_Status> completed(count);
  for (;;) {
    int done = 0;
    int result = PMPI_Waitsome(count, requests, &done, indices.data(), completed.data());
    if (result != MPI_SUCCESS && result != MPI_ERR_IN_STATUS) return result;
    for (int i = 0; i < done; i++) {  // not if there was none any more: MPI_UNDEFINED is below zero
      MPI_Status& status = statuses[indices[i]];
      status = completed[i];
      if (result == MPI_SUCCESS) status.MPI_ERROR = MPI_SUCCESS;
    }
    if (result == MPI_ERR_IN_STATUS) return result;  // what hasn't completed stays pending, and says so
    if (done == MPI_UNDEFINED) break;
  }
  for (int i = 0; i < count; i++) statuses[i].MPI_ERROR = MPI_SUCCESS;  // inactive ones were no part of it
  return MPI_SUCCESS;
}

}  // namespace
}  // namespace cairn

using namespace cairn;

CAIRN_MPI int MPI_Comm_set_errhandler(MPI_Comm comm, MPI_Errhandler errhandler) {
  errorsAreHandled.store(true, std::memory_order_relaxed);
  return PMPI_Comm_set_errhandler(comm, errhandler);
}

// For calls that may be given persistent requests: the same call with what stands for them.
#define STAND_INS(count, requests, call)                     \
  if (persistentInUse.load(std::memory_order_relaxed)) {     \
    StandIns in(count, requests);                            \
    if (in.any()) return call;                               \
  }

CAIRN_MPI int MPI_Wait(MPI_Request* request, MPI_Status* status) {
  STAND_INS(1, request, MPI_Wait(in.data(), status))
  Tracked* tracked = request ? beginCompletion(*request) : nullptr;
  if (!tracked) return PMPI_Wait(request, status);
  MPI_Status mine{};
  int result = PMPI_Wait(request, &mine);
  finish(tracked, mine, result);
  copyStatus(status, mine);
  return result;
}

CAIRN_MPI int MPI_Test(MPI_Request* request, int* flag, MPI_Status* status) {
  STAND_INS(1, request, MPI_Test(in.data(), flag, status))
  Tracked* tracked = request ? beginCompletion(*request) : nullptr;
  if (!tracked) return PMPI_Test(request, flag, status);
  MPI_Status mine{};
  int result = PMPI_Test(request, flag, &mine);
  if (*flag || *request == MPI_REQUEST_NULL) {
    finish(tracked, mine, result);
    copyStatus(status, mine);
  } else {
    endWithoutCompletion(tracked);
  }
  return result;
}

CAIRN_MPI int MPI_Waitall(int count, MPI_Request requests[], MPI_Status statuses[]) {
  STAND_INS(count, requests, MPI_Waitall(count, in.data(), statuses))
  Array<Tracked*> tracked(count);
  if (!beginAll(count, requests, tracked)) return PMPI_Waitall(count, requests, statuses);
  Array<MPI_Status> mine(statuses == MPI_STATUSES_IGNORE ? count : 0);
  MPI_Status* used = statuses == MPI_STATUSES_IGNORE ? mine.data() : statuses;
  int result = waitAll(count, requests, used);
  finishAll(count, requests, tracked, used, result);
  return result;
}

CAIRN_MPI int MPI_Testall(int count, MPI_Request requests[], int* flag, MPI_Status statuses[]) {
  STAND_INS(count, requests, MPI_Testall(count, in.data(), flag, statuses))
  Array<Tracked*> tracked(count);
  if (!beginAll(count, requests, tracked)) return PMPI_Testall(count, requests, flag, statuses);
  Array<MPI_Status> mine(statuses == MPI_STATUSES_IGNORE ? count : 0);
  MPI_Status* used = statuses == MPI_STATUSES_IGNORE ? mine.data() : statuses;
  int result = PMPI_Testall(count, requests, flag, used);
  if (*flag || result != MPI_SUCCESS) {
    finishAll(count, requests, tracked, used, result);
  } else {
    endOthers(count, tracked);
  }
  return result;
}

CAIRN_MPI int MPI_Waitany(int count, MPI_Request requests[], int* index, MPI_Status* status) {
  STAND_INS(count, requests, MPI_Waitany(count, in.data(), index, status))
  Array<Tracked*> tracked(count);
  if (!beginAll(count, requests, tracked)) return PMPI_Waitany(count, requests, index, status);
  MPI_Status mine{};
  int result = PMPI_Waitany(count, requests, index, &mine);
  if (*index != MPI_UNDEFINED && *index >= 0 && tracked[*index]) {
    finish(tracked[*index], mine, result);
    tracked[*index] = nullptr;
  }
  copyStatus(status, mine);
  endOthers(count, tracked);
  return result;
}

CAIRN_MPI int MPI_Testany(int count, MPI_Request requests[], int* index, int* flag, MPI_Status* status) {
  STAND_INS(count, requests, MPI_Testany(count, in.data(), index, flag, status))
  Array<Tracked*> tracked(count);
  if (!beginAll(count, requests, tracked)) return PMPI_Testany(count, requests, index, flag, status);
  MPI_Status mine{};
  int result = PMPI_Testany(count, requests, index, flag, &mine);
  if (*flag) {
    if (*index != MPI_UNDEFINED && *index >= 0 && tracked[*index]) {
      finish(tracked[*index], mine, result);
      tracked[*index] = nullptr;
    }
    copyStatus(status, mine);
  }
  endOthers(count, tracked);
  return result;
}

namespace {

int some(int count, MPI_Request requests[], int* done, int indices[], MPI_Status statuses[],
         int (*call)(int, MPI_Request[], int*, int[], MPI_Status[])) {
  Array<Tracked*> tracked(count);
  if (!beginAll(count, requests, tracked)) return call(count, requests, done, indices, statuses);
  Array<MPI_Status> mine(statuses == MPI_STATUSES_IGNORE ? count : 0);
  MPI_Status* used = statuses == MPI_STATUSES_IGNORE ? mine.data() : statuses;
  int result = call(count, requests, done, indices, used);
  if (*done != MPI_UNDEFINED) {
    for (int i = 0; i < *done; i++) {
      Tracked*& each = tracked[indices[i]];
      if (each) finish(each, used[i], result == MPI_ERR_IN_STATUS ? used[i].MPI_ERROR : result);
      each = nullptr;
    }
  }
  endOthers(count, tracked);
  return result;
}

}  // namespace

CAIRN_MPI int MPI_Waitsome(int count, MPI_Request requests[], int* done, int indices[], MPI_Status statuses[]) {
  STAND_INS(count, requests, MPI_Waitsome(count, in.data(), done, indices, statuses))
  return some(count, requests, done, indices, statuses, PMPI_Waitsome);
}

CAIRN_MPI int MPI_Testsome(int count, MPI_Request requests[], int* done, int indices[], MPI_Status statuses[]) {
  STAND_INS(count, requests, MPI_Testsome(count, in.data(), done, indices, statuses))
  return some(count, requests, done, indices, statuses, PMPI_Testsome);
}

CAIRN_MPI int MPI_Request_get_status(MPI_Request request, int* flag, MPI_Status* status) {
  STAND_INS(1, &request, MPI_Request_get_status(*in.data(), flag, status))
  Tracked* tracked = beginCompletion(request);
  if (!tracked) return PMPI_Request_get_status(request, flag, status);
  MPI_Status mine{};
  int result = PMPI_Request_get_status(request, flag, &mine);
  if (*flag && result == MPI_SUCCESS) {
    if (anyTouched()) touchTracked(tracked, mine, result);
    tracked->simple = false;  // not in tell(): after a completion the handle may be another thread's, which writes it too
    tell(tracked, mine, result);  // the program may read the buffer now: received, although the request lives on
    copyStatus(status, mine);
  } else {
    endWithoutCompletion(tracked);
  }
  return result;
}
