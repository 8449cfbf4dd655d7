#pragma once
#include <cstdint>
#include <memory>

#include "libimage/store/store.h"

namespace lade {

/// What a Reader is as well where it can be asked for a part of a blob without what lies behind it:
/// registries.
class RangeReader {
 public:
  virtual ~RangeReader() = default;
  /// `size` bytes (more than 0) of `blob` from `offset` on, all of them within the blob; perhaps
  /// with more behind them. Unverified. Throws as Reader::open().
  virtual std::unique_ptr<Source> open_part(const oci::Descriptor& blob, std::uint64_t offset,
                                            std::uint64_t size) = 0;
};

/// `size` bytes of `blob` from `offset` on and no more, from any reader; unverified. A range that
/// ends behind the blob is Error{invalid_argument}.
std::unique_ptr<Source> open_range(Reader& reader, const oci::Descriptor& blob,
                                   std::uint64_t offset, std::uint64_t size);

}  // namespace lade
