#pragma once
#include <cstdint>

#include "libimage/base/bytes.h"

namespace lade {

/// Copies `size` bytes between files at the given places, inside the kernel where it can. Throws
/// Error{io}; a source that ends early is Error{size_mismatch}.
void copy_file_bytes(int from, std::uint64_t from_at, int to, std::uint64_t to_at,
                     std::uint64_t size);

/// Writes all of `data` at `at`.
void write_file_at(int fd, std::uint64_t at, ByteView data);

}  // namespace lade
