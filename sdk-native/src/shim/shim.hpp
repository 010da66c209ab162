// SPDX-License-Identifier: Apache-2.0
// What the wrappers share: the state of the shim in this process, and the steps of which a wrapper is made.
#pragma once
#include <mpi.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "channel/hold.hpp"
#include "channel/ledger.hpp"
#include "page/touched.hpp"

#define CAIRN_MPI extern "C" __attribute__((visibility("default")))

namespace cairn {

using Guard = std::lock_guard<Lock>;

inline bool likely(bool condition) { return __builtin_expect(condition, true); }
inline bool unlikely(bool condition) { return __builtin_expect(condition, false); }
#define CAIRN_INLINE inline __attribute__((always_inline))

// A communicator that the program sees. Lives until it is freed and nothing is pending on it.
struct CommInfo {
  MPI_Comm handle = MPI_COMM_NULL;
  uint64_t id = 0;         // the same on all members
  uint64_t key = 0;        // parent and members
  std::string name;        // for reports
  bool inter = false;
  unsigned size = 0;       // of `world`
  std::vector<int> world;  // world rank of each member; of an intercommunicator's remote group, where messages go
  std::vector<int> local;  // of an intercommunicator: the group this process is in
  std::unordered_map<uint64_t, uint64_t> children;  // created so far, by key
  int pending = 0;         // tracked requests and matched messages
  bool freed = false;

  bool valid(int member) const { return static_cast<unsigned>(member) < size; }
  int memberOf(int worldRank) const;
};

enum class Kind : uint8_t { RECEIVE, SYNCHRONOUS_SEND, COLLECTIVE, CREATION };

// A request whose completion matters to the ledger. What a simple receive needs is in its first two cache lines.
struct alignas(64) Tracked {
  explicit Tracked(MPI_Request handle) : request(handle) { own.owner = this; }

  Receive own;  // the receive, unless it is the ledger's: from the queue, or matched by a probe
  const MPI_Request request;
  bool active = false;  // between the call that made the request and the one that completed it
  // A receive from MPI with a predefined type, that nobody has cancelled or asked the status of, and whose handle is its
  // own. What is below `receive` is as here then.
  bool simple = false;
  bool displaced = false;  // completed, and MPI gave its handle to a new request already
  Kind kind = Kind::RECEIVE;
  CommInfo* comm = nullptr;
  void* buffer = nullptr;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  const char* call = "";
  Receive* receive = nullptr;
  int count = 0;  // of a receive

  bool handedOver = false;                // MPI_Request_get_status has told the application already
  bool duplicated = false;                // `type` is ours to free
  bool cancelling = false;                // MPI_Cancel was called; it may come too late
  MPI_Request replay = MPI_REQUEST_NULL;  // the self-send that serves a receive from the queue
  PayloadRef keep;                        // what it sends
  int source = 0;                         // envelope of a replayed message, world rank
  int tag = 0;                            // the same; or of a synchronous send
  int destination = 0;                    // world rank, of a synchronous send
  std::vector<MemoryRange> receives;      // of a collective, into memory whose written pages are asked for
};

// Finds what is tracked by its handle: open addressing. MPI uses its handles again and again, so an entry stays when its
// request is done, and the next request of that handle has it again: nothing is inserted, moved or allocated for it.
// Eager sends share one handle in Open MPI: sends are never in here, except synchronous ones, which don't.
class RequestTable {
 public:
  RequestTable() : slots_(256) {}

  // The active one, or null.
  Tracked* find(MPI_Request request) const {
    for (size_t i = home(request);; i = (i + 1) & mask_) {
      Tracked* tracked = slots_[i].tracked;
      if (!tracked) return nullptr;
      if (likely(slots_[i].request == request)) return tracked->active ? tracked : nullptr;
    }
  }

  // One for a new request; the caller makes it active.
  Tracked* begin(MPI_Request request) {
    const Slot& slot = slots_[home(request)];
    used_.store(used() + 1, std::memory_order_relaxed);
    return likely(slot.request == request && !slot.tracked->active) ? slot.tracked : enter(request);
  }

  void end(Tracked* tracked) {
    used_.store(used() - 1, std::memory_order_relaxed);
    tracked->active = false;
    if (unlikely(tracked->displaced)) delete tracked;
  }

  bool empty() const { return used() == 0; }  // no lock needed

  // Lock held.
  template <class EACH>
  void forEachActive(EACH each) const {
    for (const Slot& slot : slots_) {
      if (slot.tracked && slot.tracked->active) each(*slot.tracked);
    }
  }

 private:
  struct Slot {
    MPI_Request request = nullptr;
    Tracked* tracked = nullptr;
  };

  size_t home(MPI_Request request) const {
    return (reinterpret_cast<uintptr_t>(request) * 0x9e3779b97f4a7c15ull) >> shift_;
  }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  Tracked* enter(MPI_Request request);
  void makeRoom();

  std::vector<Slot> slots_;  // a power of two, at most half full
  size_t mask_ = 256 - 1;
  int shift_ = 64 - 8;
  size_t entries_ = 0;
  std::atomic<size_t> used_{0};  // active ones; written under the lock
};

struct Matched {  // a message between a matched probe and its receive
  CommInfo* comm;
  Receive* receive;
  PayloadRef keep;
  MPI_Request replay;
};

struct Persistent;
struct Always;  // always.cpp

struct Shim {
  Hold hold;  // open between our MPI_Init and MPI_Finalize
  Always* always = nullptr;
  bool initialised = false;  // our MPI_Init ran
  std::string failure;       // why it is of no use
  int rank = 0;
  int size = 1;
  MPI_Comm self = MPI_COMM_NULL;  // private duplicate of MPI_COMM_SELF, for replay
  std::unique_ptr<Ledger> ledger;

  std::mutex endMutex;
  std::condition_variable end;
  bool finalizing = false;  // the application is inside MPI_Finalize
  bool agent = false;       // and this is what it waits for

  // All below is guarded by the ledger's lock.
  std::unordered_map<MPI_Comm, CommInfo*> comms;
  MPI_Comm lastComm = MPI_COMM_NULL;
  CommInfo* lastInfo = nullptr;
  std::unordered_map<uint64_t, CommInfo*> byId;
  std::unordered_map<uint64_t, uint64_t> orphans;  // communicators without a parent created so far, by key
  std::unordered_map<MPI_Comm, std::string> foreign;  // with processes outside MPI_COMM_WORLD, and the veto
  RequestTable requests;
  std::vector<Tracked*> freed;  // by the program, before they completed
  size_t freedMost = 64;        // look for completed ones beyond it
  std::unordered_map<MPI_Request, Persistent*> persistent;
  std::unordered_map<MPI_Message, Matched> matched;
  std::unordered_map<MPI_Win, std::string> windows;
  std::unordered_map<MPI_File, std::string> splitFiles;  // begun and not ended, and the veto
  std::string warning;                                   // for the program's user
  bool warned = false;
  MPI_Datatype lastPlain = MPI_DATATYPE_NULL;
  MPI_Datatype named[8] = {};  // predefined, contiguous types seen lately
  unsigned namedNext = 0;

  // Null if it is not the program's: MPI-IO makes some of its own.
  CommInfo* find(MPI_Comm comm) { return comm == lastComm ? lastInfo : lookUp(comm); }
  CommInfo* lookUp(MPI_Comm comm);
};

Shim& shim();

// --- always.cpp ---

// CAIRN_DRAIN=always. True takes the place of runningShim, so that the mode costs nothing where it isn't used: the first
// look of `running` fails, and the second one drains.
extern std::atomic<bool> drainsAlways;
bool wantsAlways();  // the same on all ranks; ends the job if they want different things
void startAlways();
void endAlways();
__attribute__((cold)) Shim* drainAlways();  // null if the shim isn't running at all

// Null before our MPI_Init and after MPI_Finalize. One load, because every call of the program pays for it; asked first by
// each wrapper, outside the lock.
extern std::atomic<Shim*> runningShim;
inline Shim* running() {
  Shim* s = runningShim.load(std::memory_order_acquire);
  return likely(s != nullptr) ? s : drainAlways();
}
inline bool active() { return running() != nullptr; }
// Whether a send isn't simply passed on: the rank is held, the debug mode is on, or the shim isn't running.
inline bool sendsWithCare() {
  Shim* s = runningShim.load(std::memory_order_acquire);
  return unlikely(s == nullptr || s->hold.held());
}

// A send in the debug mode: started by `start`.
struct AlwaysSend {
  int (*start)(const void*, int, MPI_Datatype, int, int, MPI_Comm, MPI_Request*);
  const char* call;
  bool synchronous;
  const void* buffer;
  int count;
  MPI_Datatype type;
  int destination;
  int tag;
  MPI_Comm comm;
};
// `request` is null for a send that blocks.
__attribute__((cold)) int sendAlways(const AlwaysSend& send, MPI_Request* request);

inline int worldSource(const CommInfo* comm, int source) {
  return source == MPI_ANY_SOURCE ? kAny : comm->world[static_cast<size_t>(source)];
}
inline int ledgerTag(int tag) { return tag == MPI_ANY_TAG ? kAny : tag; }

// --- hold.cpp ---
// Calls that others may wait for wait here themselves while the rank is held.
__attribute__((cold)) void heldSend(MPI_Comm comm, int destination, int tag);
__attribute__((cold)) void heldCollective(MPI_Comm comm, const char* call);

// --- communicators.cpp ---
void registerChild(MPI_Comm parent, MPI_Comm comm, const char* call);
void registerPredefined();
void registerForeign(MPI_Comm comm, const char* call);
void created(CommInfo* comm, bool well);  // by a call that didn't block; lock held
inline void releaseComm(CommInfo* comm) {  // one pending request less; lock held
  if (--comm->pending == 0 && comm->freed) delete comm;
}

// --- counted.cpp ---
void countCollective(MPI_Comm comm, const char* call);

// --- payload.cpp ---
bool seekPlain(MPI_Datatype type);
// Predefined and contiguous. Lock held.
inline bool isPlain(const Shim& s, MPI_Datatype type) { return likely(type == s.lastPlain) || seekPlain(type); }
uint64_t receivedBytes(const MPI_Status& status);
// The bytes of a received message, in the order of the type map.
PayloadRef gather(const void* buffer, MPI_Datatype type, uint64_t bytes);
PayloadRef gather(const void* buffer, MPI_Datatype type, uint64_t bytes, bool plain);  // for who knows; takes no lock
// A type and count for exactly that many bytes, over 2 GiB too.
class ByteType {
 public:
  explicit ByteType(uint64_t bytes);
  ~ByteType();
  ByteType(const ByteType&) = delete;
  ByteType& operator=(const ByteType&) = delete;
  MPI_Datatype type;
  int count;
};

// --- completion.cpp ---

// Lock held.
CAIRN_INLINE Tracked* track(Shim& s, Kind kind, CommInfo* comm, MPI_Request request, const char* call,
                            bool simple = false) {
  Tracked* tracked = s.requests.begin(request);
  tracked->active = true;
  tracked->simple = simple;
  tracked->kind = kind;
  tracked->comm = comm;
  tracked->receive = nullptr;
  tracked->call = call;
  comm->pending++;
  return tracked;
}
void forget(Tracked* tracked);  // lock held
// Looks the handle up and marks its receive busy, so that the agent leaves it alone.
Tracked* beginCompletion(MPI_Request request);
void endWithoutCompletion(Tracked* tracked);
// The request has completed: tells the ledger, corrects the status of a replayed message, forgets the request.
void finish(Tracked* tracked, MPI_Status& status, int result);
// Tells the ledger that a message has been handed to the application, or that there will be none (`cancelled`). Returns
// with the ledger's lock held, for what else there is to do.
std::unique_lock<Lock> handOver(Receive* receive, CommInfo* comm, const void* buffer, MPI_Datatype type,
                                const MPI_Status& status, int result, bool cancelled = false);
// The same for the usual case: MPI has received it well, and nothing of it is to be recorded. Lock held. False if it
// isn't that case, as far as the ledger knows: nothing is done then.
CAIRN_INLINE bool handOverSimply(Ledger& ledger, Receive* receive, const CommInfo* comm, const MPI_Status& status) {
  int source = receive->source == kAny ? comm->world[static_cast<size_t>(status.MPI_SOURCE)] : receive->source;
  int tag = receive->tag == kAny ? status.MPI_TAG : receive->tag;
  return ledger.completedSimply(receive, source, tag);
}
bool wasCancelled(const MPI_Status& status);
inline void copyStatus(MPI_Status* to, const MPI_Status& from) {
  if (to == MPI_STATUS_IGNORE) return;
  int error = to->MPI_ERROR;  // only calls with several statuses set it
  *to = from;
  to->MPI_ERROR = error;
}

// --- touched.cpp ---
// What a completed call has received may have come by DMA, which no page protection notices: the pages are touched. None
// of it costs more than a look where no memory is tracked, or where the buffer isn't in it.
inline uint64_t receivedBytesFast(const MPI_Status& status) {
#ifdef OPEN_MPI
  return status._ucount;
#else
  return receivedBytes(status);
#endif
}
__attribute__((cold)) void touchElements(const void* buffer, MPI_Datatype type, uint64_t elements);
__attribute__((noinline)) void touchReceived(const void* buffer, MPI_Datatype type, bool plain, const MPI_Status& status,
                                             int result);
__attribute__((noinline)) void touchTracked(const Tracked* tracked, const MPI_Status& status, int result);
// Before a cut: what is being received may be there in part. Takes the lock.
void touchPending();

// --- requests.cpp ---
// Finishes what the program has freed and MPI has completed. Takes the lock.
void settleFreed();
void freeFreed();  // at the end of MPI

// --- persistent.cpp ---
extern std::atomic<bool> persistentInUse;  // whether a handle may be that of a persistent request
// The program's requests, with those that stand for active persistent ones in their place. At its end, what a call has
// made of them goes back into the program's array.
class StandIns {
 public:
  StandIns(int count, MPI_Request requests[]);
  ~StandIns();
  StandIns(const StandIns&) = delete;
  StandIns& operator=(const StandIns&) = delete;
  bool any() const { return !owners_.empty(); }
  MPI_Request* data() { return copies_.data(); }

 private:
  MPI_Request* requests_ = nullptr;
  std::vector<MPI_Request> copies_;
  std::vector<std::pair<size_t, Persistent*>> owners_;  // ascending
};
// Frees a persistent request; false if it isn't one of ours.
bool freePersistent(MPI_Request* request, int* result);

// --- receives.cpp ---
// Posts the receive that serves a message from the queue: a real MPI receive of a real self-send, of which `keep` gets
// what must live until `replay` is complete. Lock held.
int postReplay(const PayloadRef& payload, void* buffer, int count, MPI_Datatype type, MPI_Request* request,
               MPI_Request* replay, PayloadRef* keep);
bool tooShort(const Payload& payload, int count, MPI_Datatype type);  // such a receive for such a message
void patch(MPI_Status& status, const CommInfo* comm, int source, int tag);

// --- drain.cpp ---
void drain();
// One message off the network into the queue, the oldest of this member with that tag (or any). Lock held.
bool drainOne(CommInfo* info, int member, int tag);
void drainHeld();

}  // namespace cairn
