// SPDX-License-Identifier: Apache-2.0
// Page-aligned memory: allocation and the raw copy that a capture waits for.
#pragma once
#include <cstddef>

namespace cairn {

size_t pageSize();
// Zeroed memory, huge pages where the system gives them; null if the system refuses.
void* allocatePages(size_t bytes);
void freePages(void* address, size_t bytes);
// Touches every page, so that the first copy doesn't fault. Keeps the contents.
void prefaultPages(void* address, size_t bytes);
// How much of this memory is in huge pages; 0 where the system doesn't tell. Reads the list of all mappings.
size_t hugePageBytes(const void* address, size_t bytes);
// The C library's copy.
void copyPages(void* destination, const void* source, size_t bytes);
// A copy to memory that this thread won't read soon: past the cache where that is faster. The ranges don't overlap.
void dumpPages(void* destination, const void* source, size_t bytes);

}  // namespace cairn
