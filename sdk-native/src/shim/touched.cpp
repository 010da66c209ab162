// SPDX-License-Identifier: Apache-2.0
// Receives into memory whose written pages are asked for.
#include <algorithm>
#include <cstring>

#include "shim.hpp"

namespace cairn {

// From the first to the last byte, with whatever gaps the type has.
void touchElements(const void* buffer, MPI_Datatype type, uint64_t elements) {
  if (elements == 0 || type == MPI_DATATYPE_NULL || buffer == MPI_IN_PLACE) return;
  MPI_Count lower = 0, extent = 0, trueLower = 0, trueExtent = 0;
  if (PMPI_Type_get_extent_x(type, &lower, &extent) != MPI_SUCCESS ||
      PMPI_Type_get_true_extent_x(type, &trueLower, &trueExtent) != MPI_SUCCESS) {
    writtenAnywhere();
    return;
  }
  MPI_Count last = static_cast<MPI_Count>(elements - 1) * extent;
  const char* from = static_cast<const char*>(buffer) + trueLower + std::min<MPI_Count>(0, last);
  uint64_t span = static_cast<uint64_t>(trueExtent + (last < 0 ? -last : last));
  if (mayBeTouched(from, span)) touchWritten(from, span);
}

void touchReceived(const void* buffer, MPI_Datatype type, bool plain, const MPI_Status& status, int result) {
  if (unlikely(result != MPI_SUCCESS)) {  // how much came isn't known
    writtenAnywhere();
    return;
  }
  uint64_t bytes = receivedBytesFast(status);
  if (likely(plain)) {
    if (mayBeTouched(buffer, bytes)) touchWritten(buffer, bytes);
    return;
  }
  MPI_Count size = 0;
  PMPI_Type_size_x(type, &size);
  if (size > 0) touchElements(buffer, type, (bytes + static_cast<uint64_t>(size) - 1) / static_cast<uint64_t>(size));
}

void touchTracked(const Tracked* tracked, const MPI_Status& status, int result) {
  if (tracked->kind == Kind::RECEIVE) {
    touchReceived(tracked->buffer, tracked->type, !tracked->duplicated, status, result);
  } else if (tracked->kind == Kind::COLLECTIVE) {
    for (const MemoryRange& range : tracked->receives) {
      touchWritten(reinterpret_cast<void*>(range.from), range.to - range.from);
    }
    if (std::strstr(tracked->call, "_iread")) writtenAnywhere();
  }
}

void touchPending() {
  if (!anyTouched() || !active()) return;
  Shim& s = shim();
  Guard guard(s.ledger->lock);
  s.requests.forEachActive([](const Tracked& tracked) {
    if (tracked.kind == Kind::RECEIVE && tracked.count > 0) {
      touchElements(tracked.buffer, tracked.type, static_cast<uint64_t>(tracked.count));
    }
  });
}

}  // namespace cairn
