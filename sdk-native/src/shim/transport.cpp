// SPDX-License-Identifier: Apache-2.0
#include "transport.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "pmpi_support.hpp"

namespace cairn {

namespace {

constexpr char kWhere[] = "the transport's communicator";

void check(int result, const char* call) { requireSuccess(result, call, kWhere); }

}  // namespace

Transport::Transport() : comm_(duplicateWorld(kWhere)) {
  PMPI_Comm_rank(comm_, &rank_);
  PMPI_Comm_size(comm_, &size_);
}

Transport::Transfer* Transport::send(int destination, int tag, const void* data, int bytes) {
  auto transfer = std::make_unique<Transfer>();
  transfer->matched = true;
  transfer->length = bytes;
  check(PMPI_Isend(data, bytes, MPI_BYTE, destination, tag, comm_, &transfer->request), "MPI_Isend");
  return transfer.release();
}

Transport::Transfer* Transport::receive(int source, int tag, void* room, int bytes) {
  auto transfer = std::make_unique<Transfer>();
  transfer->peer = source;
  transfer->tag = tag;
  transfer->room = room;
  transfer->roomBytes = bytes;
  unmatched_[{source, tag}].push_back(transfer.get());
  return transfer.release();
}

int Transport::test(Transfer* transfer) {
  try {
    // The others too: their senders may wait for them.
    progress();
    if (!transfer->matched) return -1;
    int done = 0;
    check(PMPI_Test(&transfer->request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    if (!done) return -1;
    if (transfer->tooLong) {
      throw std::runtime_error("the message is longer than the room: found " + std::to_string(transfer->length) +
                               " bytes, room for " + std::to_string(transfer->roomBytes));
    }
  } catch (...) {
    forget(transfer);
    throw;
  }
  int length = transfer->length;
  delete transfer;
  return length;
}

bool Transport::cancel(Transfer* transfer) {
  progress();
  if (transfer->matched) return false;
  forget(transfer);
  return true;
}

// Those of one source and tag get their messages in the order in which they were posted.
void Transport::progress() {
  for (auto queue = unmatched_.begin(); queue != unmatched_.end();) {
    std::deque<Transfer*>& waiting = queue->second;
    while (!waiting.empty() && match(*waiting.front())) waiting.pop_front();
    queue = waiting.empty() ? unmatched_.erase(queue) : std::next(queue);
  }
}

bool Transport::match(Transfer& receive) {
  int found = 0;
  MPI_Message message = MPI_MESSAGE_NULL;
  MPI_Status status;
  check(PMPI_Improbe(receive.peer, receive.tag, comm_, &found, &message, &status), "MPI_Improbe");
  if (!found) return false;
  check(PMPI_Get_count(&status, MPI_BYTE, &receive.length), "MPI_Get_count");
  void* to = receive.room;
  if (receive.length > receive.roomBytes) {
    receive.tooLong.reset(new char[static_cast<size_t>(receive.length)]);
    to = receive.tooLong.get();
  }
  check(PMPI_Imrecv(to, receive.length, MPI_BYTE, &message, &receive.request), "MPI_Imrecv");
  receive.matched = true;
  return true;
}

void Transport::forget(Transfer* receive) {
  auto queue = unmatched_.find({receive->peer, receive->tag});
  if (!receive->matched && queue != unmatched_.end()) {
    std::deque<Transfer*>& waiting = queue->second;
    waiting.erase(std::remove(waiting.begin(), waiting.end(), receive), waiting.end());
    if (waiting.empty()) unmatched_.erase(queue);
  }
  delete receive;
}

void Transport::startGather(std::vector<char> mine) {
  mine_ = std::move(mine);
  own_ = countOf(mine_.size());
  lengths_.assign(static_cast<size_t>(size_), 0);
  lengthsKnown_ = false;
  check(PMPI_Iallgather(&own_, 1, MPI_INT, lengths_.data(), 1, MPI_INT, comm_, &gather_), "MPI_Iallgather");
}

bool Transport::testGather() {
  progress();
  int done = 0;
  check(PMPI_Test(&gather_, &done, MPI_STATUS_IGNORE), "MPI_Test");
  if (!done || lengthsKnown_) return done;
  lengthsKnown_ = true;
  size_t total = 0;
  offsets_ = offsetsOf(lengths_, total);
  all_.resize(total);
  check(PMPI_Iallgatherv(mine_.data(), own_, MPI_BYTE, all_.data(), lengths_.data(), offsets_.data(), MPI_BYTE, comm_,
                         &gather_),
        "MPI_Iallgatherv");
  check(PMPI_Test(&gather_, &done, MPI_STATUS_IGNORE), "MPI_Test");
  return done;
}

void Transport::close() { check(PMPI_Comm_free(&comm_), "MPI_Comm_free"); }

}  // namespace cairn
