// SPDX-License-Identifier: Apache-2.0
// Space of files that isn't written yet, and their cached pages. By name, as Java keeps its descriptors to itself.
#pragma once
#include <cstdint>

namespace cairn {

// Sets bytes aside without a change of the file's length. 0, or an errno; ENOTSUP where the file system can't.
int reserveSpace(const char* file, int64_t bytes);
// Gives back what was set aside behind the file's end. 0, or an errno.
int releaseSpace(const char* file);
// Drops clean pages from the page cache. 0, or an errno.
int forgetPages(const char* file);

}  // namespace cairn
