// SPDX-License-Identifier: Apache-2.0
// The agents' own communication, by PMPI on private duplicates of MPI_COMM_WORLD: the shim never sees itself.
#pragma once
#include <mpi.h>

#include <cstdint>
#include <list>
#include <vector>

namespace cairn {

class Fabric {
 public:
  Fabric();  // collective
  Fabric(const Fabric&) = delete;
  Fabric& operator=(const Fabric&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  void startPulse(std::vector<int64_t> max, std::vector<int64_t> sum);
  bool testPulse();
  const std::vector<int64_t>& max() const { return maxOut_; }
  const std::vector<int64_t>& sum() const { return sumOut_; }
  void send(int destination, std::vector<char> message);
  bool poll(int& source, std::vector<char>& message);
  // Every rank's bytes, one after the other; `lengths` tells them apart.
  std::vector<char> allGather(const std::vector<char>& mine, std::vector<int>& lengths);
  void close();  // collective

 private:
  struct Outgoing {
    MPI_Request request;
    std::vector<char> bytes;
  };

  MPI_Comm pulses_ = MPI_COMM_NULL;
  MPI_Comm messages_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 0;
  MPI_Request pulse_[2] = {MPI_REQUEST_NULL, MPI_REQUEST_NULL};
  std::vector<int64_t> maxIn_, sumIn_, maxOut_, sumOut_;
  std::list<Outgoing> outgoing_;
};

}  // namespace cairn
