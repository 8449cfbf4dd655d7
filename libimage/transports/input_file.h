/// Files and streams that a name points to, opened so that they can be read at random.
#pragma once
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "libimage/base/unique_fd.h"
#include "libimage/io/stream.h"
#include "libimage/store/store.h"

namespace lade {

/// True for the spellings of standard input: "-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0".
bool is_standard_input(std::string_view path) noexcept;
/// True for the spellings of standard output: "-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1".
bool is_standard_output(std::string_view path) noexcept;

/// The file `path`, or what is_standard_input() names. A pipe, FIFO or socket is read to its end
/// first, as keep_stream() does. Throws Error{not_found}, Error{unsupported} for directories,
/// devices and terminals.
UniqueFd open_input_file(const std::string& path, const SessionOptions& options);

/// Most bytes that a stream may have, whatever room there is: more is no image.
inline constexpr std::uint64_t kMaxKeptBytes = std::uint64_t{1} << 40U;

/// Reads `stream` to its end into a file without a name under SessionOptions::temp_root. Throws
/// Error{limit_exceeded} beyond `limit` bytes and beyond nine tenths of what was free there at the
/// start, Cancelled.
UniqueFd keep_stream(Source& stream, const SessionOptions& options,
                     std::uint64_t limit = kMaxKeptBytes);

/// Reads up to out.size() bytes from `offset`; fewer only at the end.
std::size_t read_file_range(int fd, std::uint64_t offset, std::span<std::byte> out);

/// The size of an open regular file.
std::uint64_t file_size(int fd);

}  // namespace lade
