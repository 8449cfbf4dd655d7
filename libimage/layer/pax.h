/// PAX extended headers: records "LENGTH KEY=VALUE\n" (POSIX.1-2017 pax, "pax Extended Header").
/// Internal to the layer module.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libimage/base/timestamp.h"
#include "libimage/layer/apply_layer.h"

namespace lade::tar {

inline constexpr std::string_view kXattrPrefix = "SCHILY.xattr.";

struct PaxRecord {
  std::string_view key;
  std::string_view value;
};

/// The records of `body` in order; Error{invalid_content} if one breaks the grammar or a key holds
/// a NUL, Error{limit_exceeded} beyond `max_records`. The views point into `body`.
std::vector<PaxRecord> parse_pax(std::string_view body, std::uint64_t max_records);

/// Appends a record to `body`.
void append_pax(std::string& body, std::string_view key, std::string_view value);

/// A segment of a sparse file that has content; the rest are holes.
struct Segment {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

/// What extended headers say of one entry; unset is what they do not mention.
struct PaxValues {
  std::optional<std::string> path = {};
  std::optional<std::string> link_path = {};
  std::optional<std::uint64_t> size = {};
  std::optional<std::uint64_t> uid = {};
  std::optional<std::uint64_t> gid = {};
  std::optional<Timestamp> mtime = {};
  std::optional<Timestamp> atime = {};
  std::optional<Timestamp> ctime = {};
  std::optional<std::string> user = {};
  std::optional<std::string> group = {};
  std::optional<std::uint64_t> device_major = {};
  std::optional<std::uint64_t> device_minor = {};
  std::map<std::string, std::string> xattrs = {};
  // GNU sparse files, formats 0.0, 0.1 (map in the header) and 1.0 (map before the content).
  std::optional<std::uint64_t> sparse_major = {};
  std::optional<std::uint64_t> sparse_minor = {};
  std::optional<std::string> sparse_name = {};
  std::optional<std::uint64_t> sparse_size = {};
  std::optional<std::vector<Segment>> sparse_map = {};
};

enum class PaxScope { entry, global };

/// Adds the records of `body` to `values`. Unknown keys are ignored; an empty value takes back what
/// was said. A global header may not hold path, linkpath, size or sparse keys, which readers
/// disagree about: Error{invalid_content}.
void read_pax(std::string_view body, PaxScope scope, const ApplyLimits& limits, PaxValues& values);

/// "SECONDS[.FRACTION]", negative before 1970; nullopt if it is anything else.
std::optional<Timestamp> parse_pax_time(std::string_view text);

/// The shortest exact form: "1", "1.5", "-0.000000001".
std::string pax_time(const Timestamp& time);

}  // namespace lade::tar
