// SPDX-License-Identifier: Apache-2.0
// Which communicators there are, and who is in them. A handle means nothing outside the process and is used again after
// a free, so a communicator is known by (parent, its members' world ranks in order, the how-manieth with exactly
// these): the same on all members, and again after a restart that creates them in the same order.
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

std::vector<int> worldRanks(MPI_Comm comm) {
  MPI_Group group, world;
  int size;
  PMPI_Comm_group(comm, &group);
  PMPI_Comm_group(MPI_COMM_WORLD, &world);
  PMPI_Group_size(group, &size);
  std::vector<int> members(static_cast<size_t>(size)), ranks(static_cast<size_t>(size));
  for (int i = 0; i < size; i++) members[static_cast<size_t>(i)] = i;
  PMPI_Group_translate_ranks(group, size, members.data(), world, ranks.data());
  PMPI_Group_free(&group);
  PMPI_Group_free(&world);
  return ranks;
}

std::string listed(const std::vector<int>& ranks) {
  std::string text;
  for (size_t i = 0; i < ranks.size() && i < 8; i++) text += (i ? "," : "") + std::to_string(ranks[i]);
  if (ranks.size() > 8) text += ",... (" + std::to_string(ranks.size()) + " ranks)";
  return text;
}

void add(MPI_Comm comm, uint64_t id, std::vector<int> ranks, const std::string& name) {
  Shim& s = shim();
  auto* info = new CommInfo;
  info->handle = comm;
  info->id = id;
  info->world = std::move(ranks);
  info->size = static_cast<unsigned>(info->world.size());
  int rank;
  PMPI_Comm_rank(comm, &rank);
  s.ledger->communicator(id, name, static_cast<int>(info->world.size()), rank, info->world[0]);
  s.comms[comm] = info;
  s.byId[id] = info;
  s.lastComm = MPI_COMM_NULL;
  s.lastInfo = nullptr;
}

}  // namespace

void registerPredefined() {
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  add(MPI_COMM_WORLD, mix(1), worldRanks(MPI_COMM_WORLD), "MPI_COMM_WORLD");
  add(MPI_COMM_SELF, mix(2, static_cast<uint64_t>(s.rank)), {s.rank}, "MPI_COMM_SELF");
}

void registerChild(MPI_Comm parent, MPI_Comm comm, const char* call) {
  if (comm == MPI_COMM_NULL) return;
  Shim& s = shim();
  std::vector<int> ranks = worldRanks(comm);
  Guard guard(s.ledger->lock);
  CommInfo* from = s.find(parent);
  uint64_t id = from ? from->id : 0;
  for (int rank : ranks) id = mix(id, static_cast<uint64_t>(rank));
  int occurrence = s.occurrences[id]++;
  id = mix(id, static_cast<uint64_t>(occurrence));
  std::string name = std::string("communicator ") + std::to_string(occurrence + 1) + " of ranks " + listed(ranks) + " (" +
                     call + ")";
  add(comm, id, std::move(ranks), name);
}

}  // namespace cairn

using namespace cairn;

namespace {

int destroy(MPI_Comm* comm, const char* call, int (*destroyer)(MPI_Comm*)) {
  if (!active() || !comm) return destroyer(comm);
  Shim& s = shim();
  if (unlikely(s.hold.held())) heldCollective(*comm, call);
  {
    Guard guard(s.ledger->lock);
    if (CommInfo* info = s.find(*comm)) {
      s.ledger->collective(info->id, call);
      s.ledger->communicatorFreed(info->id);
      s.comms.erase(*comm);  // before the free: another thread may get the same handle right after it
      s.byId.erase(info->id);
      s.lastComm = MPI_COMM_NULL;
      s.lastInfo = nullptr;
      info->freed = true;
      info->pending++;
      releaseComm(info);
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

CAIRN_MPI int MPI_Comm_free(MPI_Comm* comm) { return destroy(comm, "MPI_Comm_free", PMPI_Comm_free); }

CAIRN_MPI int MPI_Comm_disconnect(MPI_Comm* comm) {
  return destroy(comm, "MPI_Comm_disconnect", PMPI_Comm_disconnect);
}
