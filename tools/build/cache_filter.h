/// What the options of `lade cache` say of its entries.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libimage/base/timestamp.h"
#include "libimage/local/cache.h"

#include "tools/common/options.h"

namespace lade::tools {

/// What --filter asks for; every one must hold.
struct CacheFilters {
  std::vector<std::string> ids = {};         // any of these
  std::vector<CacheEntry::Type> types = {};  // any of these
  std::optional<std::int64_t> unused_seconds = {};
  std::optional<bool> shared = {};
  std::optional<bool> in_use = {};
  std::string description = {};

  [[nodiscard]] bool names_entries() const { return !ids.empty() || !types.empty(); }
  [[nodiscard]] bool match(const CacheEntry& entry, const Timestamp& now) const;
};

/// Reads --filter. Throws UsageError.
CacheFilters read_cache_filters(const Arguments& arguments);

/// The value of --keep-storage: "512", "10kB", "20MB", "2.5GB", "1GiB". Throws UsageError.
std::uint64_t cache_bytes(std::string_view text);

}  // namespace lade::tools
