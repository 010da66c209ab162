// SPDX-License-Identifier: Apache-2.0
// Where the collectives of calls.def receive: of each, RECEIVES_name, an expression over its parameters. Asked only where
// memory is tracked. What isn't significant on this rank isn't looked at.
#pragma once
#include "shim.hpp"

namespace cairn {
namespace collectiveReceives {

class Receives {
 public:
  // `elements` of the type from `offset` elements on.
  Receives& add(const void* buffer, MPI_Datatype type, int64_t offset, int64_t elements) {
    MPI_Count lower = 0, extent = 0;
    if (known(buffer, type)) {
      PMPI_Type_get_extent_x(type, &lower, &extent);
      bytes(buffer, type, offset * extent, elements);
    }
    return *this;
  }
  // The same, `offset` bytes on.
  Receives& bytes(const void* buffer, MPI_Datatype type, int64_t offset, int64_t elements) {
    if (elements <= 0 || !known(buffer, type)) return *this;
    MPI_Count lower = 0, extent = 0, trueLower = 0, trueExtent = 0;
    PMPI_Type_get_extent_x(type, &lower, &extent);
    PMPI_Type_get_true_extent_x(type, &trueLower, &trueExtent);
    MPI_Count last = (elements - 1) * extent;
    uintptr_t from = reinterpret_cast<uintptr_t>(buffer) + static_cast<uintptr_t>(offset + trueLower + (last < 0 ? last : 0));
    uintptr_t span = static_cast<uintptr_t>(trueExtent + (last < 0 ? -last : last));
    if (mayBeTouched(reinterpret_cast<void*>(from), span)) ranges_.push_back({from, from + span});
    return *this;
  }
  operator std::vector<MemoryRange>() const { return ranges_; }

 private:
  static bool known(const void* buffer, MPI_Datatype type) {
    return buffer && buffer != MPI_IN_PLACE && type != MPI_DATATYPE_NULL;
  }
  std::vector<MemoryRange> ranges_;
};

inline int peers(MPI_Comm comm) {
  int inter = 0, size = 0;
  PMPI_Comm_test_inter(comm, &inter);
  inter ? PMPI_Comm_remote_size(comm, &size) : PMPI_Comm_size(comm, &size);
  return size;
}

inline int rankIn(MPI_Comm comm) {
  int rank = 0;
  PMPI_Comm_rank(comm, &rank);
  return rank;
}

// How many neighbours this rank receives from.
inline int neighbours(MPI_Comm comm) {
  int kind = MPI_UNDEFINED, count = 0, out = 0, weighted = 0;
  PMPI_Topo_test(comm, &kind);
  if (kind == MPI_CART) {
    PMPI_Cartdim_get(comm, &count);
    return 2 * count;
  }
  if (kind == MPI_GRAPH) PMPI_Graph_neighbors_count(comm, rankIn(comm), &count);
  if (kind == MPI_DIST_GRAPH) PMPI_Dist_graph_neighbors_count(comm, &count, &out, &weighted);
  return count;
}

// Whether this rank receives what all send to the root.
inline bool isRoot(MPI_Comm comm, int root) {
  int inter = 0;
  PMPI_Comm_test_inter(comm, &inter);
  return inter ? root == MPI_ROOT : root == rankIn(comm);
}
// Whether it receives what the root sends.
inline bool hears(int root) { return root != MPI_ROOT && root != MPI_PROC_NULL; }

inline std::vector<MemoryRange> flat(bool receives, const void* buffer, int64_t count, MPI_Datatype type) {
  return receives ? Receives().add(buffer, type, 0, count) : Receives();
}

inline std::vector<MemoryRange> varying(int n, const void* buffer, const int counts[], const int displs[],
                                        MPI_Datatype type) {
  Receives receives;
  for (int i = 0; i < n; i++) receives.add(buffer, type, displs[i], counts[i]);
  return receives;
}

template <class OFFSET>
std::vector<MemoryRange> typed(int n, const void* buffer, const int counts[], const OFFSET displs[],
                               const MPI_Datatype types[]) {
  Receives receives;
  for (int i = 0; i < n; i++) receives.bytes(buffer, types[i], displs[i], counts[i]);
  return receives;
}

}  // namespace collectiveReceives

#define RECEIVES_Allgather flat(true, recvbuf, int64_t{recvcount} * collectiveReceives::peers(comm), recvtype)
#define RECEIVES_Allgatherv varying(collectiveReceives::peers(comm), recvbuf, recvcounts, displs, recvtype)
#define RECEIVES_Allreduce flat(true, recvbuf, count, datatype)
#define RECEIVES_Alltoall RECEIVES_Allgather
#define RECEIVES_Alltoallv varying(collectiveReceives::peers(comm), recvbuf, recvcounts, rdispls, recvtype)
#define RECEIVES_Alltoallw typed(collectiveReceives::peers(comm), recvbuf, recvcounts, rdispls, recvtypes)
#define RECEIVES_Barrier flat(false, nullptr, 0, MPI_DATATYPE_NULL)
#define RECEIVES_Bcast flat(collectiveReceives::hears(root), buffer, count, datatype)
#define RECEIVES_Exscan RECEIVES_Allreduce
#define RECEIVES_Gather                                                                                       \
  flat(collectiveReceives::isRoot(comm, root), recvbuf, int64_t{recvcount} * collectiveReceives::peers(comm), \
       recvtype)
#define RECEIVES_Gatherv                                                                                        \
  varying(collectiveReceives::isRoot(comm, root) ? collectiveReceives::peers(comm) : 0, recvbuf, recvcounts, displs, \
          recvtype)
#define RECEIVES_Neighbor_allgather \
  flat(true, recvbuf, int64_t{recvcount} * collectiveReceives::neighbours(comm), recvtype)
#define RECEIVES_Neighbor_allgatherv \
  varying(collectiveReceives::neighbours(comm), recvbuf, recvcounts, displs, recvtype)
#define RECEIVES_Neighbor_alltoall RECEIVES_Neighbor_allgather
#define RECEIVES_Neighbor_alltoallv \
  varying(collectiveReceives::neighbours(comm), recvbuf, recvcounts, rdispls, recvtype)
#define RECEIVES_Neighbor_alltoallw \
  typed(collectiveReceives::neighbours(comm), recvbuf, recvcounts, rdispls, recvtypes)
#define RECEIVES_Reduce flat(collectiveReceives::isRoot(comm, root), recvbuf, count, datatype)
#define RECEIVES_Reduce_scatter flat(true, recvbuf, recvcounts[collectiveReceives::rankIn(comm)], datatype)
#define RECEIVES_Reduce_scatter_block flat(true, recvbuf, recvcount, datatype)
#define RECEIVES_Scan RECEIVES_Allreduce
#define RECEIVES_Scatter flat(collectiveReceives::hears(root), recvbuf, recvcount, recvtype)
#define RECEIVES_Scatterv RECEIVES_Scatter

#define RECEIVES_Iallgather RECEIVES_Allgather
#define RECEIVES_Iallgatherv RECEIVES_Allgatherv
#define RECEIVES_Iallreduce RECEIVES_Allreduce
#define RECEIVES_Ialltoall RECEIVES_Alltoall
#define RECEIVES_Ialltoallv RECEIVES_Alltoallv
#define RECEIVES_Ialltoallw RECEIVES_Alltoallw
#define RECEIVES_Ibarrier RECEIVES_Barrier
#define RECEIVES_Ibcast RECEIVES_Bcast
#define RECEIVES_Iexscan RECEIVES_Exscan
#define RECEIVES_Igather RECEIVES_Gather
#define RECEIVES_Igatherv RECEIVES_Gatherv
#define RECEIVES_Ineighbor_allgather RECEIVES_Neighbor_allgather
#define RECEIVES_Ineighbor_allgatherv RECEIVES_Neighbor_allgatherv
#define RECEIVES_Ineighbor_alltoall RECEIVES_Neighbor_alltoall
#define RECEIVES_Ineighbor_alltoallv RECEIVES_Neighbor_alltoallv
#define RECEIVES_Ineighbor_alltoallw RECEIVES_Neighbor_alltoallw
#define RECEIVES_Ireduce RECEIVES_Reduce
#define RECEIVES_Ireduce_scatter RECEIVES_Reduce_scatter
#define RECEIVES_Ireduce_scatter_block RECEIVES_Reduce_scatter_block
#define RECEIVES_Iscan RECEIVES_Scan
#define RECEIVES_Iscatter RECEIVES_Scatter
#define RECEIVES_Iscatterv RECEIVES_Scatterv

}  // namespace cairn
