// SPDX-License-Identifier: Apache-2.0
// Bulk data between the ranks' background threads, by PMPI on a private duplicate of MPI_COMM_WORLD. Nothing here waits;
// one thread at a time.
//
// Receives aren't posted but matched when a message is there: only then is its length known before anything is written.
// Open MPI writes on behind the end of a receive that is too short.
#pragma once
#include <mpi.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>
#include <vector>

namespace cairn {

class Transport {
 public:
  struct Transfer {
    MPI_Request request = MPI_REQUEST_NULL;
    bool matched = false;  // sends always are
    int length = 0;
    int peer = 0;
    int tag = 0;
    void* room = nullptr;
    int roomBytes = 0;
    std::unique_ptr<char[]> tooLong;  // takes a message that the room can't
  };

  Transport();  // collective
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  Transfer* send(int destination, int tag, const void* data, int bytes);
  Transfer* receive(int source, int tag, void* room, int bytes);
  // The message's length once it is done, else -1. The transfer is gone when it is done or this throws.
  int test(Transfer* transfer);
  // Takes back a receive that no message has come for; then it is gone.
  bool cancel(Transfer* transfer);

  // All ranks' bytes, one after the other. At most one is under way.
  void startGather(std::vector<char> mine);
  bool testGather();
  const std::vector<char>& gathered() const { return all_; }
  const std::vector<int>& gatheredLengths() const { return lengths_; }

  void close();  // collective, with nothing under way

 private:
  void progress();
  bool match(Transfer& receive);
  void forget(Transfer* receive);

  MPI_Comm comm_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 0;
  std::map<std::pair<int, int>, std::deque<Transfer*>> unmatched_;  // by source and tag, in posting order
  MPI_Request gather_ = MPI_REQUEST_NULL;
  bool lengthsKnown_ = false;
  int own_ = 0;
  std::vector<char> mine_, all_;
  std::vector<int> lengths_, offsets_;
};

}  // namespace cairn
