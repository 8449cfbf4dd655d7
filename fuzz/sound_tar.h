#pragma once
#include <cstring>
#include <string>

#include "libimage/layer/tar_header.h"

namespace lade::fuzz {

/// The bytes with the checksum of every header made right where sizes lead to it, so that mutated
/// headers get past that check.
inline std::string with_checksums(std::string tar) {
  for (std::size_t at = 0; at + tar::kBlockBytes <= tar.size();) {
    tar::Block block;
    std::memcpy(block.data(), tar.data() + at, block.size());
    std::uint64_t skip = 0;
    if (!tar::is_zero(block)) {
      tar::put_checksum(block);
      std::memcpy(tar.data() + at, block.data(), block.size());
      for (std::size_t i = 0; i < tar::kSize.size; ++i) {
        const char digit = block[tar::kSize.offset + i];
        if (digit >= '0' && digit <= '7') skip = skip * 8 + static_cast<std::uint64_t>(digit - '0');
      }
    }
    if (skip > tar.size()) break;
    at += tar::kBlockBytes + static_cast<std::size_t>(tar::padded(skip));
  }
  return tar;
}

}  // namespace lade::fuzz
