// SPDX-License-Identifier: Apache-2.0
// CAIRN_DRAIN=always, a debug mode (protocol.md, "Draining always"): each call of the program first drains whatever the
// network has for it, so that any MPI program exercises queue and replay, without epochs.
//
// Draining a synchronous send would complete it too early. In epochs the sender's marker says where there are any; here
// there are no markers, and nothing in a message tells its kind. So the sender gives a permit for each message that is
// not synchronous: (communicator, tag, number of the message on its channel), on a communicator of the shim's own. The
// receiver drains a message when it has the permit for its number. A permit that comes late only means that the message
// is drained later, or not at all.
//
// The numbers must be those of MPI's order, also when several threads send on one channel: sends are started and
// numbered in one step under the lock. A send that blocks is a non-blocking one and a wait.
#include <cstdio>
#include <cstdlib>
#include <list>
#include <set>

#include "shim.hpp"

namespace cairn {

std::atomic<bool> drainsAlways{false};

namespace {

constexpr int kPermit = 1;
constexpr int kMostAtOnce = 1000;  // messages drained in one call, or a busy sender would hold it for ever

struct Permit {
  uint64_t communicator;
  int64_t number;
  int32_t tag;
  int32_t unused;
};

struct Outgoing {
  Permit permit;
  MPI_Request request;
};

// The numbers for which there is a permit. None that is empty: programs may use each tag once.
using Permits = std::map<ChannelId, std::set<int64_t>>;

}  // namespace

struct Always {
  MPI_Comm comm = MPI_COMM_NULL;  // for permits
  // Guarded by the ledger's lock.
  std::list<Outgoing> outgoing;
  Permits permits;
};

namespace {

void givePermit(uint64_t communicator, int destination, int tag, int64_t number) {
  Always& always = *shim().always;
  for (auto out = always.outgoing.begin(); out != always.outgoing.end();) {
    int done = 0;
    PMPI_Test(&out->request, &done, MPI_STATUS_IGNORE);
    out = done ? always.outgoing.erase(out) : std::next(out);
  }
  always.outgoing.push_back({{communicator, number, tag, 0}, MPI_REQUEST_NULL});
  Outgoing& out = always.outgoing.back();
  PMPI_Isend(&out.permit, sizeof out.permit, MPI_BYTE, destination, kPermit, always.comm, &out.request);
}

void takePermits() {
  Shim& s = shim();
  for (;;) {
    int found = 0;
    MPI_Status status;
    if (PMPI_Iprobe(MPI_ANY_SOURCE, kPermit, s.always->comm, &found, &status) != MPI_SUCCESS || !found) return;
    Permit permit;
    // Under the lock: nobody else receives here.
    if (PMPI_Recv(&permit, sizeof permit, MPI_BYTE, status.MPI_SOURCE, kPermit, s.always->comm, MPI_STATUS_IGNORE) !=
        MPI_SUCCESS) {
      return;
    }
    Permits::iterator at = s.always->permits.try_emplace({permit.communicator, status.MPI_SOURCE, permit.tag}).first;
    at->second.insert(permit.number);
    // Messages of smaller numbers have been received without a permit.
    int64_t next = s.ledger->nextArriving(permit.communicator, status.MPI_SOURCE, permit.tag).number;
    at->second.erase(at->second.begin(), at->second.lower_bound(next));
    if (at->second.empty()) s.always->permits.erase(at);
  }
}

// Whether there is a permit for the message of the channel that is next. Uses it up.
bool permitted(uint64_t communicator, int source, int tag) {
  Shim& s = shim();
  auto at = s.always->permits.find({communicator, source, tag});
  if (at == s.always->permits.end()) return false;
  Arriving next = s.ledger->nextArriving(communicator, source, tag);
  if (!next.exact || at->second.erase(next.number) == 0) return false;
  if (at->second.empty()) s.always->permits.erase(at);
  return true;
}

// The oldest message of one source, or of any. Returns whether it was drained; `found` says whether there was one. (A
// younger one of the source isn't looked at: in the queue it would overtake.)
bool drainNext(CommInfo* info, int source, bool& found) {
  int flag = 0;
  MPI_Status status{};
  found = PMPI_Iprobe(source, MPI_ANY_TAG, info->handle, &flag, &status) == MPI_SUCCESS && flag &&
          info->valid(status.MPI_SOURCE);
  return found && permitted(info->id, info->world[static_cast<size_t>(status.MPI_SOURCE)], status.MPI_TAG) &&
         drainOne(info, status.MPI_SOURCE, status.MPI_TAG);
}

void drainCommunicator(CommInfo* info, int& left) {
  bool found = true;
  while (left > 0 && drainNext(info, MPI_ANY_SOURCE, found)) left--;
  if (!found) return;
  // One that must stay hides those of other sources.
  for (int member = 0; member < static_cast<int>(info->world.size()); member++) {
    while (left > 0 && drainNext(info, member, found)) left--;
  }
}

enum Setting : int { LATE, ALWAYS, UNKNOWN };

[[noreturn]] void refuseToStart() {
  PMPI_Barrier(MPI_COMM_WORLD);  // all have printed what they have to say
  PMPI_Abort(MPI_COMM_WORLD, EXIT_FAILURE);
  std::_Exit(EXIT_FAILURE);
}

}  // namespace

bool wantsAlways() {
  const char* variable = std::getenv("CAIRN_DRAIN");
  std::string value = variable ? variable : "";
  int mine = value.empty() || value == "late" ? LATE : value == "always" ? ALWAYS : UNKNOWN;
  int range[2] = {mine, -mine};
  PMPI_Allreduce(MPI_IN_PLACE, range, 2, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
  int most = range[0], least = -range[1];
  if (most == least && most != UNKNOWN) return most == ALWAYS;
  // Permits need both ends of a channel.
  if (mine == UNKNOWN) {
    std::fprintf(stderr, "cairn: rank %d: CAIRN_DRAIN: found \"%s\", expected \"always\" or \"late\" (the default)\n",
                 shim().rank, value.c_str());
  } else if (most != UNKNOWN && mine == LATE) {
    std::fprintf(stderr,
                 "cairn: rank %d: CAIRN_DRAIN is not \"always\" here, but is on other ranks; give it to all of them: "
                 "mpirun -x CAIRN_DRAIN=always\n",
                 shim().rank);
  }
  refuseToStart();
}

void startAlways() {
  Shim& s = shim();
  s.always = new Always;  // lives as long as the shim
  PMPI_Comm_dup(MPI_COMM_WORLD, &s.always->comm);
  PMPI_Comm_set_errhandler(s.always->comm, MPI_ERRORS_RETURN);
  s.ledger->number();
  drainsAlways.store(true, std::memory_order_release);
}

void endAlways() {
  Always& always = *shim().always;
  for (Outgoing& out : always.outgoing) PMPI_Wait(&out.request, MPI_STATUS_IGNORE);
  always.outgoing.clear();
}

Shim* drainAlways() {
  Shim& s = shim();
  if (!drainsAlways.load(std::memory_order_acquire)) return nullptr;
  bool freed;
  {
    Guard guard(s.ledger->lock);
    takePermits();
    int left = kMostAtOnce;
    for (const auto& entry : s.comms) drainCommunicator(entry.second, left);
    freed = !s.freed.empty();
  }
  if (freed) settleFreed();  // while such a receive is pending, the numbers of its channels aren't known
  return &s;
}

int sendAlways(const AlwaysSend& send, MPI_Request* request) {
  Shim& s = shim();
  drainAlways();
  MPI_Request own = MPI_REQUEST_NULL;
  MPI_Request* started = request ? request : &own;
  {
    Guard guard(s.ledger->lock);
    int result = send.start(send.buffer, send.count, send.type, send.destination, send.tag, send.comm, started);
    if (result != MPI_SUCCESS) return result;
    CommInfo* info = s.find(send.comm);
    if (info && info->valid(send.destination)) {
      int destination = info->world[static_cast<size_t>(send.destination)];
      int64_t number = s.ledger->nextSent(info->id, destination, send.tag);
      s.ledger->sent(info->id, destination, send.tag);
      if (send.synchronous) {
        s.ledger->synchronous(info->id, destination, send.tag, 1);
        Tracked* tracked = track(s, Kind::SYNCHRONOUS_SEND, info, *started, send.call);
        tracked->destination = destination;
        tracked->tag = send.tag;
      } else {
        givePermit(info->id, destination, send.tag, number);
      }
    }
  }
  return request ? MPI_SUCCESS : MPI_Wait(&own, MPI_STATUS_IGNORE);
}

}  // namespace cairn
