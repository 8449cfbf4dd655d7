/// Maps of sparse files in tar streams (GNU tar manual, "Storing Sparse Files"). Internal to the
/// layer module.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "libimage/layer/pax.h"
#include "libimage/layer/tar_header.h"

namespace lade::tar {

/// Reads the next block of the stream, which must be there.
using ReadBlock = std::function<void(Block&)>;

/// The map in an old GNU header (type 'S') and the extension blocks behind it.
std::vector<Segment> old_gnu_map(const Block& header, const ReadBlock& next);

/// The map in front of the content (format 1.0): decimal lines, filled up to a whole block.
/// `blocks` is set to the number of blocks it took.
std::vector<Segment> leading_map(const ReadBlock& next, std::uint64_t& blocks);

/// Error{invalid_content} unless the segments ascend without overlap within `size` bytes and hold
/// exactly `stored` bytes together.
void check_map(const std::vector<Segment>& map, std::uint64_t size, std::uint64_t stored);

}  // namespace lade::tar
