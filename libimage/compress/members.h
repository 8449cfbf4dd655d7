/// Compressed streams for formats that say where each member is: the caller chooses what a member
/// holds.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "libimage/compress/codec.h"
#include "libimage/compress/member_sink.h"

namespace lade {

/// Most input bytes of a member that member_sink() makes; it ends there if the caller does not end
/// it.
inline constexpr std::size_t kLargestMember = std::size_t{4} * 1024 * 1024;

/// A sink that compresses each member with `codec` ("gzip" or "zstd", else Error{unsupported});
/// `largest`: most input bytes of one. See MemberSink for `on_member`.
std::unique_ptr<MemberSink> member_sink(std::string_view codec, Sink& out,
                                        const CompressOptions& options,
                                        std::function<void(std::uint64_t)> on_member = {},
                                        std::size_t largest = kLargestMember);

/// `content`, of any size, as one member of gzip or zstd.
std::string one_member(std::string_view codec, std::string_view content,
                       const CompressOptions& options);

/// CRC-64 of ISO 3309 (reflected, as Go's hash/crc64 with its ISO table); `before` is that of the
/// bytes in front of `data`, 0 at the start.
std::uint64_t crc64_iso(std::uint64_t before, ByteView data);

}  // namespace lade
