// SPDX-License-Identifier: Apache-2.0
// Which communicators there are, and who is in them. A handle means nothing outside the process and is used again after
// a free, so a communicator is known by (parent, its members' world ranks in order, the how-manieth with exactly
// these): the same on all members, and again after a restart that creates them in the same order. An intercommunicator
// has two ordered groups; which comes first must not depend on the side.
#include <algorithm>

#include "channel/hash.hpp"
#include "shim.hpp"

namespace cairn {

int CommInfo::memberOf(int worldRank) const {
  auto at = std::find(world.begin(), world.end(), worldRank);
  return at == world.end() ? MPI_UNDEFINED : static_cast<int>(at - world.begin());
}

CommInfo* Shim::lookUp(MPI_Comm comm) {
  auto at = comms.find(comm);
  if (at == comms.end()) return nullptr;
  lastComm = comm;
  lastInfo = at->second;
  return lastInfo;
}

namespace {

constexpr uint64_t kBetween = 3;  // in a key: between two groups

std::vector<int> worldRanks(MPI_Group group) {
  MPI_Group world;
  int size;
  PMPI_Comm_group(MPI_COMM_WORLD, &world);
  PMPI_Group_size(group, &size);
  std::vector<int> members(static_cast<size_t>(size)), ranks(static_cast<size_t>(size));
  for (int i = 0; i < size; i++) members[static_cast<size_t>(i)] = i;
  PMPI_Group_translate_ranks(group, size, members.data(), world, ranks.data());
  PMPI_Group_free(&group);
  PMPI_Group_free(&world);
  return ranks;
}

struct Members {
  std::vector<int> local;
  std::vector<int> remote;  // empty: not an intercommunicator

  explicit Members(MPI_Comm comm) {
    int inter = 0;
    MPI_Group group;
    PMPI_Comm_group(comm, &group);
    local = worldRanks(group);
    PMPI_Comm_test_inter(comm, &inter);
    if (!inter) return;
    PMPI_Comm_remote_group(comm, &group);
    remote = worldRanks(group);
  }
  Members(std::vector<int> mine, std::vector<int> theirs) : local(std::move(mine)), remote(std::move(theirs)) {}

  bool strangers() const {  // processes outside MPI_COMM_WORLD
    auto unknown = [](const std::vector<int>& ranks) { return std::count(ranks.begin(), ranks.end(), MPI_UNDEFINED); };
    return unknown(local) + unknown(remote) > 0;
  }
};

std::string listed(const std::vector<int>& ranks) {
  std::string text;
  for (size_t i = 0; i < ranks.size() && i < 8; i++) text += (i ? "," : "") + std::to_string(ranks[i]);
  if (ranks.size() > 8) text += ",... (" + std::to_string(ranks.size()) + " ranks)";
  return text;
}

void forgetLast() {
  shim().lastComm = MPI_COMM_NULL;
  shim().lastInfo = nullptr;
}

// The ledger knows the communicator from the call on that makes it, which is the same point on all members. Lock held.
void enter(const CommInfo* info, uint64_t nth = 0) {
  Shim& s = shim();
  std::vector<int> all = info->world;
  if (info->inter) {
    bool first = info->local < info->world;
    all = first ? info->local : info->world;
    const std::vector<int>& second = first ? info->world : info->local;
    all.insert(all.end(), second.begin(), second.end());
  }
  int rank = static_cast<int>(std::find(all.begin(), all.end(), s.rank) - all.begin());
  s.ledger->communicator(info->id, info->name, static_cast<int>(all.size()), rank, all[0], info->key, nth);
}

// The program may use the communicator from now on. Lock held.
void publish(CommInfo* info, MPI_Comm comm) {
  Shim& s = shim();
  info->handle = comm;
  info->size = static_cast<unsigned>(info->world.size());
  s.comms[comm] = info;
  s.byId[info->id] = info;
  forgetLast();
}

// Names a communicator that is being created. Lock held.
CommInfo* identify(CommInfo* parent, const Members& members, const char* call) {
  auto* info = new CommInfo;
  info->inter = !members.remote.empty();
  info->world = info->inter ? members.remote : members.local;
  if (info->inter) info->local = members.local;
  uint64_t key = parent ? parent->id : 0;
  std::string who;
  auto add = [&](const std::vector<int>& ranks) {
    for (int rank : ranks) key = mix(key, static_cast<uint64_t>(rank));
    who += (who.empty() ? "" : " and ") + listed(ranks);
  };
  if (info->inter) {
    add(std::min(members.local, members.remote));
    key = mix(mix(key), kBetween);
    add(std::max(members.local, members.remote));
  } else {
    add(members.local);
  }
  uint64_t nth = parent ? parent->children[key]++ : shim().orphans[key]++;
  info->key = key;
  info->id = communicatorId(key, nth);
  info->name = std::string(info->inter ? "inter" : "") + "communicator " + std::to_string(nth + 1) + " of ranks " +
               who + " (" + call + ")";
  enter(info, nth);
  return info;
}

void predefined(MPI_Comm comm, uint64_t id, const char* name) {
  auto* info = new CommInfo;
  info->id = id;
  info->name = name;
  info->world = Members(comm).local;
  enter(info);
  publish(info, comm);
}

}  // namespace

void registerPredefined() {
  Shim& s = shim();
  {
    Guard guard(s.ledger->lock);
    predefined(MPI_COMM_WORLD, mix(1), "MPI_COMM_WORLD");
    predefined(MPI_COMM_SELF, mix(2, static_cast<uint64_t>(s.rank)), "MPI_COMM_SELF");
  }
  MPI_Comm parent = MPI_COMM_NULL;
  PMPI_Comm_get_parent(&parent);
  if (parent != MPI_COMM_NULL) registerForeign(parent, "MPI_Comm_get_parent");
}

void registerForeign(MPI_Comm comm, const char* call) {
  if (comm == MPI_COMM_NULL) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  std::string reason = std::string("a communicator of ") + call +
                       " is open: messages of spawned or connected processes are not captured";
  s.ledger->veto(reason);
  s.foreign[comm] = reason;
}

void registerChild(MPI_Comm parent, MPI_Comm comm, const char* call) {
  if (comm == MPI_COMM_NULL) return;
  Shim& s = shim();
  Members members(comm);
  if (members.strangers()) return registerForeign(comm, call);
  Guard guard(s.ledger->lock);
  publish(identify(s.find(parent), members, call), comm);
}

void created(CommInfo* comm, bool well) {
  if (well) {
    publish(comm, comm->handle);
  } else {
    shim().ledger->communicatorFreed(comm->id);
    comm->freed = true;  // goes with its request
  }
}

}  // namespace cairn

using namespace cairn;

namespace {

int destroy(MPI_Comm* comm, const char* call, int (*destroyer)(MPI_Comm*)) {
  if (!active() || !comm || *comm == MPI_COMM_WORLD || *comm == MPI_COMM_SELF) return destroyer(comm);
  Shim& s = shim();
  if (unlikely(s.hold.held())) heldCollective(*comm, call);
  {
    Guard guard(s.ledger->lock);
    if (CommInfo* info = s.find(*comm)) {
      s.ledger->collective(info->id, call);
      s.ledger->communicatorFreed(info->id);
      s.comms.erase(*comm);  // before the free: another thread may get the same handle right after it
      s.byId.erase(info->id);
      forgetLast();
      info->freed = true;
      info->pending++;
      releaseComm(info);
    }
    auto foreign = s.foreign.find(*comm);
    if (foreign != s.foreign.end()) {
      s.ledger->unveto(foreign->second);
      writtenAnywhere();  // what came over it was only passed on
      s.foreign.erase(foreign);
    }
  }
  return destroyer(comm);
}

}  // namespace

// Creation is collective over the parent, except by MPI_Comm_create_group.
#define CREATE(name, parameters, arguments, parent, created)      \
  CAIRN_MPI int MPI_##name parameters {                           \
    countCollective(parent, "MPI_" #name);                        \
    int result = PMPI_##name arguments;                           \
    if (active() && result == MPI_SUCCESS) registerChild(parent, *created, "MPI_" #name); \
    return result;                                                \
  }

CREATE(Comm_dup, (MPI_Comm comm, MPI_Comm* newcomm), (comm, newcomm), comm, newcomm)
CREATE(Comm_dup_with_info, (MPI_Comm comm, MPI_Info info, MPI_Comm* newcomm), (comm, info, newcomm), comm, newcomm)
CREATE(Comm_split, (MPI_Comm comm, int color, int key, MPI_Comm* newcomm), (comm, color, key, newcomm), comm, newcomm)
CREATE(Comm_split_type, (MPI_Comm comm, int type, int key, MPI_Info info, MPI_Comm* newcomm),
       (comm, type, key, info, newcomm), comm, newcomm)
CREATE(Comm_create, (MPI_Comm comm, MPI_Group group, MPI_Comm* newcomm), (comm, group, newcomm), comm, newcomm)
CREATE(Intercomm_merge, (MPI_Comm intercomm, int high, MPI_Comm* newcomm), (intercomm, high, newcomm), intercomm,
       newcomm)
CREATE(Cart_create,
       (MPI_Comm comm, int dimensions, const int sizes[], const int periods[], int reorder, MPI_Comm* newcomm),
       (comm, dimensions, sizes, periods, reorder, newcomm), comm, newcomm)
CREATE(Cart_sub, (MPI_Comm comm, const int remain[], MPI_Comm* newcomm), (comm, remain, newcomm), comm, newcomm)
CREATE(Graph_create, (MPI_Comm comm, int nodes, const int index[], const int edges[], int reorder, MPI_Comm* newcomm),
       (comm, nodes, index, edges, reorder, newcomm), comm, newcomm)
CREATE(Dist_graph_create,
       (MPI_Comm comm, int n, const int nodes[], const int degrees[], const int targets[], const int weights[],
        MPI_Info info, int reorder, MPI_Comm* newcomm),
       (comm, n, nodes, degrees, targets, weights, info, reorder, newcomm), comm, newcomm)
CREATE(Dist_graph_create_adjacent,
       (MPI_Comm comm, int indegree, const int sources[], const int sourceweights[], int outdegree,
        const int destinations[], const int destweights[], MPI_Info info, int reorder, MPI_Comm* newcomm),
       (comm, indegree, sources, sourceweights, outdegree, destinations, destweights, info, reorder, newcomm), comm,
       newcomm)

CAIRN_MPI int MPI_Comm_create_group(MPI_Comm comm, MPI_Group group, int tag, MPI_Comm* newcomm) {
  if (active()) heldCollective(comm, "MPI_Comm_create_group");
  int result = PMPI_Comm_create_group(comm, group, tag, newcomm);
  if (active() && result == MPI_SUCCESS) registerChild(comm, *newcomm, "MPI_Comm_create_group");
  return result;
}

// Collective over each side's own communicator. Neither is the parent: the other side doesn't know it.
CAIRN_MPI int MPI_Intercomm_create(MPI_Comm local_comm, int local_leader, MPI_Comm bridge_comm, int remote_leader,
                                   int tag, MPI_Comm* newintercomm) {
  countCollective(local_comm, "MPI_Intercomm_create");
  int result = PMPI_Intercomm_create(local_comm, local_leader, bridge_comm, remote_leader, tag, newintercomm);
  if (active() && result == MPI_SUCCESS) registerChild(MPI_COMM_NULL, *newintercomm, "MPI_Intercomm_create");
  return result;
}

// Named when it is called: members may learn of its completion in another order than that of other creations.
CAIRN_MPI int MPI_Comm_idup(MPI_Comm comm, MPI_Comm* newcomm, MPI_Request* request) {
  countCollective(comm, "MPI_Comm_idup");
  int result = PMPI_Comm_idup(comm, newcomm, request);
  if (result != MPI_SUCCESS || !active()) return result;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  CommInfo* parent = s.find(comm);
  if (!parent) return result;
  Members members = parent->inter ? Members(parent->local, parent->world) : Members(parent->world, {});
  CommInfo* info = identify(parent, members, "MPI_Comm_idup");
  info->handle = *newcomm;
  track(s, Kind::CREATION, info, *request, "MPI_Comm_idup");
  s.ledger->veto("MPI_Comm_idup is pending");
  return result;
}

CAIRN_MPI int MPI_Comm_free(MPI_Comm* comm) { return destroy(comm, "MPI_Comm_free", PMPI_Comm_free); }

CAIRN_MPI int MPI_Comm_disconnect(MPI_Comm* comm) {
  return destroy(comm, "MPI_Comm_disconnect", PMPI_Comm_disconnect);
}

// Processes outside MPI_COMM_WORLD: no cut while there is a communicator with them.
#define CONNECT(name, parameters, arguments, created)                                   \
  CAIRN_MPI int MPI_##name parameters {                                                 \
    countCollective(comm, "MPI_" #name);                                                \
    int result = PMPI_##name arguments;                                                 \
    if (active() && result == MPI_SUCCESS) registerForeign(*created, "MPI_" #name);     \
    return result;                                                                      \
  }

CONNECT(Comm_spawn,
        (const char* command, char* argv[], int maxprocs, MPI_Info info, int root, MPI_Comm comm, MPI_Comm* intercomm,
         int array_of_errcodes[]),
        (command, argv, maxprocs, info, root, comm, intercomm, array_of_errcodes), intercomm)
CONNECT(Comm_spawn_multiple,
        (int count, char* commands[], char** argvs[], const int maxprocs[], const MPI_Info infos[], int root,
         MPI_Comm comm, MPI_Comm* intercomm, int errcodes[]),
        (count, commands, argvs, maxprocs, infos, root, comm, intercomm, errcodes), intercomm)
CONNECT(Comm_accept, (const char* port_name, MPI_Info info, int root, MPI_Comm comm, MPI_Comm* newcomm),
        (port_name, info, root, comm, newcomm), newcomm)
CONNECT(Comm_connect, (const char* port_name, MPI_Info info, int root, MPI_Comm comm, MPI_Comm* newcomm),
        (port_name, info, root, comm, newcomm), newcomm)

CAIRN_MPI int MPI_Comm_join(int fd, MPI_Comm* intercomm) {
  int result = PMPI_Comm_join(fd, intercomm);
  if (active() && result == MPI_SUCCESS) registerForeign(*intercomm, "MPI_Comm_join");
  return result;
}
