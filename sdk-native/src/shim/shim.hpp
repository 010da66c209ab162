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

#include "channel/ledger.hpp"

#define CAIRN_MPI extern "C" __attribute__((visibility("default")))

namespace cairn {

using Guard = std::lock_guard<Lock>;

// A communicator that the program sees. Lives until it is freed and nothing is pending on it.
struct CommInfo {
  MPI_Comm handle = MPI_COMM_NULL;
  uint64_t id = 0;         // the same on all members, and again after a restart
  std::vector<int> world;  // world rank of each member
  int pending = 0;         // tracked requests and matched messages
  bool freed = false;

  bool valid(int member) const { return member >= 0 && member < static_cast<int>(world.size()); }
  int memberOf(int worldRank) const;
};

enum class Kind : uint8_t { RECEIVE, SYNCHRONOUS_SEND, COLLECTIVE };

// A request whose completion matters to the ledger.
struct Tracked {
  Kind kind = Kind::RECEIVE;
  bool handedOver = false;  // MPI_Request_get_status has told the application already
  bool duplicated = false;  // `type` is ours to free
  bool displaced = false;   // completed, and MPI gave its handle to a new request already
  MPI_Request request = MPI_REQUEST_NULL;
  CommInfo* comm = nullptr;
  Receive* receive = nullptr;
  void* buffer = nullptr;
  MPI_Datatype type = MPI_DATATYPE_NULL;
  MPI_Request replay = MPI_REQUEST_NULL;  // the self-send that serves a receive from the queue
  PayloadRef keep;                        // what it sends
  int source = 0;                         // envelope of a replayed message, world rank
  int tag = 0;                            // the same; or of a synchronous send
  int destination = 0;                    // world rank, of a synchronous send
  const char* call = "";
};

// Open addressing, keyed by handle. Eager sends share one handle in Open MPI: sends are never in here, except
// synchronous ones, which don't.
class RequestTable {
 public:
  RequestTable() : slots_(256, nullptr) {}
  Tracked* find(MPI_Request request) const;
  void insert(Tracked* tracked);
  void erase(const Tracked* tracked);
  bool empty() const { return used_.load(std::memory_order_relaxed) == 0; }

 private:
  size_t home(MPI_Request request) const {
    return (reinterpret_cast<uintptr_t>(request) * 0x9e3779b97f4a7c15ull) >> shift_;
  }
  std::vector<Tracked*> slots_;  // a power of two, at most half full
  int shift_ = 64 - 8;
  std::atomic<size_t> used_{0};
};

struct Matched {  // a message between a matched probe and its receive
  CommInfo* comm;
  Receive* receive;
  PayloadRef keep;
  MPI_Request replay;
};

struct Persistent;

struct Shim {
  std::atomic<bool> active{false};  // between our MPI_Init and MPI_Finalize
  bool initialised = false;         // our MPI_Init ran
  std::string failure;              // why it is of no use
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
  std::unordered_map<uint64_t, int> occurrences;
  RequestTable requests;
  std::vector<Tracked*> freeTracked;
  std::vector<Tracked*> freed;  // by the program, before they completed
  size_t freedMost = 64;        // look for completed ones beyond it
  std::unordered_map<MPI_Request, Persistent*> persistent;
  std::unordered_map<MPI_Message, Matched> matched;
  std::unordered_map<MPI_Win, std::string> windows;
  MPI_Datatype named[8] = {};  // predefined, contiguous types seen lately
  unsigned namedNext = 0;

  CommInfo* find(MPI_Comm comm) {
    if (comm == lastComm) return lastInfo;
    auto at = comms.find(comm);
    if (at == comms.end()) return nullptr;  // not the program's: MPI-IO makes some of its own
    lastComm = comm;
    lastInfo = at->second;
    return lastInfo;
  }
};

Shim& shim();

inline bool active() { return shim().active.load(std::memory_order_acquire); }
inline int worldSource(const CommInfo* comm, int source) {
  return source == MPI_ANY_SOURCE ? kAny : comm->world[static_cast<size_t>(source)];
}
inline int ledgerTag(int tag) { return tag == MPI_ANY_TAG ? kAny : tag; }

// --- communicators.cpp ---
void registerChild(MPI_Comm parent, MPI_Comm comm, const char* call);
void registerPredefined();
void releaseComm(CommInfo* comm);  // one pending request less; lock held

// --- counted.cpp ---
void countCollective(MPI_Comm comm, const char* call);

// --- payload.cpp ---
bool isPlain(MPI_Datatype type);  // predefined and contiguous; lock held
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
Tracked* newTracked(Kind kind, CommInfo* comm, const char* call);  // lock held
void forget(Tracked* tracked);                                     // lock held
// Looks the handle up and marks its receive busy, so that the agent leaves it alone.
Tracked* beginCompletion(MPI_Request request);
void endWithoutCompletion(Tracked* tracked);
// The request has completed: tells the ledger, corrects the status of a replayed message, forgets the request.
void finish(Tracked* tracked, MPI_Status& status, int result);
// Tells the ledger that a message has been handed to the application, or that there will be none (`cancelled`). Returns
// with the ledger's lock held, for what else there is to do.
std::unique_lock<Lock> handOver(Receive* receive, CommInfo* comm, const void* buffer, MPI_Datatype type,
                                const MPI_Status& status, int result, bool cancelled = false);
bool wasCancelled(const MPI_Status& status);
void copyStatus(MPI_Status* to, const MPI_Status& from);

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
// Posts the receive that serves a message from the queue: a real MPI receive of a real self-send. Lock held.
int postReplay(const PayloadRef& payload, void* buffer, int count, MPI_Datatype type, MPI_Request* request,
               MPI_Request* replay);
void patch(MPI_Status& status, const CommInfo* comm, int source, int tag);

// --- drain.cpp ---
void drain();

}  // namespace cairn
