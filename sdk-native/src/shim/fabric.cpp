// SPDX-License-Identifier: Apache-2.0
#include "fabric.hpp"

#include "pmpi_support.hpp"

namespace cairn {

namespace {

constexpr int kTag = 1;
constexpr char kWhere[] = "the agents' communicator";

void check(int result, const char* call) { requireSuccess(result, call, kWhere); }

}  // namespace

Fabric::Fabric() {
  pulses_ = duplicateWorld(kWhere);
  messages_ = duplicateWorld(kWhere);
  PMPI_Comm_rank(pulses_, &rank_);
  PMPI_Comm_size(pulses_, &size_);
}

void Fabric::startPulse(std::vector<int64_t> max, std::vector<int64_t> sum) {
  maxIn_ = std::move(max);
  sumIn_ = std::move(sum);
  maxOut_.resize(maxIn_.size());
  sumOut_.resize(sumIn_.size());
  check(PMPI_Iallreduce(maxIn_.data(), maxOut_.data(), countOf(maxIn_.size()), MPI_INT64_T, MPI_MAX, pulses_, &pulse_[0]),
        "MPI_Iallreduce");
  // Sums wrap modulo 2^64: fingerprints rely on it.
  check(PMPI_Iallreduce(sumIn_.data(), sumOut_.data(), countOf(sumIn_.size()), MPI_UINT64_T, MPI_SUM, pulses_, &pulse_[1]),
        "MPI_Iallreduce");
}

bool Fabric::testPulse() {
  int done = 0;
  check(PMPI_Testall(2, pulse_, &done, MPI_STATUSES_IGNORE), "MPI_Testall");
  return done;
}

void Fabric::send(int destination, std::vector<char> message) {
  outgoing_.push_back({MPI_REQUEST_NULL, std::move(message)});
  Outgoing& out = outgoing_.back();
  check(PMPI_Isend(out.bytes.data(), countOf(out.bytes.size()), MPI_BYTE, destination, kTag, messages_, &out.request),
        "MPI_Isend");
}

bool Fabric::poll(int& source, std::vector<char>& message) {
  for (auto out = outgoing_.begin(); out != outgoing_.end();) {
    int done = 0;
    check(PMPI_Test(&out->request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    out = done ? outgoing_.erase(out) : std::next(out);
  }
  int found = 0;
  MPI_Status status;
  check(PMPI_Iprobe(MPI_ANY_SOURCE, kTag, messages_, &found, &status), "MPI_Iprobe");
  if (!found) return false;
  int bytes = 0;
  PMPI_Get_count(&status, MPI_BYTE, &bytes);
  message.resize(static_cast<size_t>(bytes));
  source = status.MPI_SOURCE;
  // This thread alone receives here, so the message is still there; sources stay in order.
  check(PMPI_Recv(message.data(), bytes, MPI_BYTE, source, kTag, messages_, MPI_STATUS_IGNORE), "MPI_Recv");
  return true;
}

std::vector<char> Fabric::allGather(const std::vector<char>& mine, std::vector<int>& lengths) {
  int own = countOf(mine.size());
  lengths.assign(static_cast<size_t>(size_), 0);
  check(PMPI_Allgather(&own, 1, MPI_INT, lengths.data(), 1, MPI_INT, messages_), "MPI_Allgather");
  size_t total = 0;
  std::vector<int> offsets = offsetsOf(lengths, total);
  std::vector<char> all(total + 1);
  check(PMPI_Allgatherv(mine.data(), own, MPI_BYTE, all.data(), lengths.data(), offsets.data(), MPI_BYTE, messages_),
        "MPI_Allgatherv");
  all.resize(total);
  return all;
}

void Fabric::close() {
  for (Outgoing& out : outgoing_) PMPI_Wait(&out.request, MPI_STATUS_IGNORE);
  outgoing_.clear();
  PMPI_Comm_free(&messages_);
  PMPI_Comm_free(&pulses_);
}

}  // namespace cairn
