// SPDX-License-Identifier: Apache-2.0
#include "pmpi_support.hpp"

#include <climits>
#include <stdexcept>

namespace cairn {

void requireSuccess(int result, const char* call, const char* where) {
  if (result == MPI_SUCCESS) return;
  char text[MPI_MAX_ERROR_STRING];
  int length = 0;
  PMPI_Error_string(result, text, &length);
  throw std::runtime_error(std::string(call) + " failed on " + where + ": " +
                           std::string(text, static_cast<size_t>(length)));
}

MPI_Comm duplicateWorld(const char* where) {
  MPI_Comm copy = MPI_COMM_NULL;
  requireSuccess(PMPI_Comm_dup(MPI_COMM_WORLD, &copy), "MPI_Comm_dup", where);
  PMPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN);
  return copy;
}

int countOf(size_t bytes) {
  if (bytes > INT_MAX) throw std::runtime_error("a message of " + std::to_string(bytes) + " bytes is too long");
  return static_cast<int>(bytes);
}

std::vector<int> offsetsOf(const std::vector<int>& lengths, size_t& total) {
  std::vector<int> offsets(lengths.size());
  total = 0;
  for (size_t i = 0; i < lengths.size(); i++) {
    offsets[i] = countOf(total);
    total += static_cast<size_t>(lengths[i]);
  }
  countOf(total);
  return offsets;
}

}  // namespace cairn
