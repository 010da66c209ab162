// SPDX-License-Identifier: Apache-2.0
// What the communicators of our own have in common.
#pragma once
#include <mpi.h>

#include <string>
#include <vector>

namespace cairn {

// Throws std::runtime_error with MPI's words, unless it was a success.
void requireSuccess(int result, const char* call, const char* where);

// A duplicate of MPI_COMM_WORLD that returns its errors. Collective.
MPI_Comm duplicateWorld(const char* where);

// As MPI counts; throws if it is too much for that.
int countOf(size_t bytes);

// Where each rank's part begins if all lie one after the other, and the end.
std::vector<int> offsetsOf(const std::vector<int>& lengths, size_t& total);

}  // namespace cairn
