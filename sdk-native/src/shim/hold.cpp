// SPDX-License-Identifier: Apache-2.0
// The slow side of a call that others may wait for.
#include "shim.hpp"

namespace cairn {

namespace {

// Whether the communicator is the program's; MPI-IO's own are not held.
bool nameOf(MPI_Comm comm, int member, std::string& name, int& world) {
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  CommInfo* info = s.find(comm);
  if (!info) return false;
  auto at = s.ledger->communicators().find(info->id);
  if (at != s.ledger->communicators().end()) name = at->second.name;
  world = info->valid(member) ? info->world[static_cast<size_t>(member)] : member;
  return true;
}

}  // namespace

void heldSend(MPI_Comm comm, int destination, int tag) {
  Shim& s = shim();
  std::string name;
  int world = destination;
  if (s.hold.held() && nameOf(comm, destination, name, world)) {
    s.hold.wait("a send to rank " + std::to_string(world) + " (" + name + ", tag " + std::to_string(tag) + ")");
  }
}

void heldCollective(MPI_Comm comm, const char* call) {
  Shim& s = shim();
  std::string name;
  int world = 0;
  if (s.hold.held() && nameOf(comm, 0, name, world)) s.hold.wait(std::string(call) + " on " + name);
}

}  // namespace cairn
