#include "libimage/build/run_mount.h"

#include <algorithm>
#include <array>
#include <limits>
#include <span>
#include <vector>

#include "libimage/base/error.h"
#include "libimage/base/text.h"

namespace lade::build {
namespace {

constexpr std::size_t kMaxMountBytes = std::size_t{64} * 1024;

struct Key {
  std::string_view name;
  std::string_view meaning;  ///< the name that it stands for
};
constexpr std::array<Key, 21> kKeys = {{
    {"type", "type"},
    {"from", "from"},
    {"source", "source"},
    {"src", "source"},
    {"target", "target"},
    {"dst", "target"},
    {"destination", "target"},
    {"readonly", "readonly"},
    {"ro", "readonly"},
    {"readwrite", "readwrite"},
    {"rw", "readwrite"},
    {"id", "id"},
    {"sharing", "sharing"},
    {"required", "required"},
    {"size", "size"},
    {"mode", "mode"},
    {"uid", "uid"},
    {"gid", "gid"},
    {"env", "env"},
    {"relabel", "z"},
    {"z", "z"},
}};

struct KindRule {
  std::string_view name;
  RunMount::Kind kind;
  std::array<std::string_view, 10> keys;  ///< besides "type"
};
constexpr std::array<KindRule, 5> kKinds = {{
    {"bind", RunMount::Kind::bind, {"from", "source", "target", "readonly", "readwrite"}},
    {"cache",
     RunMount::Kind::cache,
     {"id", "target", "readonly", "readwrite", "sharing", "from", "source", "mode", "uid", "gid"}},
    {"tmpfs", RunMount::Kind::tmpfs, {"target", "size"}},
    {"secret",
     RunMount::Kind::secret,
     {"id", "source", "target", "env", "required", "mode", "uid", "gid"}},
    {"ssh", RunMount::Kind::ssh, {"id", "target", "required", "mode", "uid", "gid"}},
}};

struct Field {
  std::string key;  ///< the name that its aliases stand for
  std::string value = {};
  bool bare = false;  ///< without "="
};

[[noreturn]] void refuse(std::string message) {
  throw Error(Errc::invalid_content, cat("--mount: ", message));
}

/// RFC 4180: fields between commas, a quoted one may hold them.
std::vector<std::string> csv_fields(std::string_view text) {
  std::vector<std::string> fields(1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',') {
      fields.emplace_back();
    } else if (text[i] == '"' && fields.back().empty()) {
      for (++i;; ++i) {
        if (i >= text.size()) refuse("a quote has no end");
        if (text[i] != '"') {
          fields.back() += text[i];
        } else if (i + 1 < text.size() && text[i + 1] == '"') {
          fields.back() += text[i++];
        } else {
          break;
        }
      }
      if (i + 1 < text.size() && text[i + 1] != ',') refuse("text follows a quoted field");
    } else {
      fields.back() += text[i];
    }
  }
  return fields;
}

std::string key_named(std::string_view name) {
  const std::string lower = lower_case(name);
  const auto* const known =
      std::find_if(kKeys.begin(), kKeys.end(), [&](const Key& key) { return key.name == lower; });
  if (known != kKeys.end()) return std::string(known->meaning);
  std::vector<std::string> names;
  for (const Key& key : kKeys) names.emplace_back(key.name);
  const auto near = nearest(lower, names);
  refuse(cat("unknown key ", quoted(name), near ? cat(", did you mean ", *near, "?") : ""));
}

std::vector<Field> pairs_in(std::string_view text) {
  if (text.size() > kMaxMountBytes) refuse("it is longer than 64 KiB");
  std::vector<Field> pairs;
  for (const std::string& field : csv_fields(text)) {
    const std::size_t equals = field.find('=');
    Field pair{.key = key_named(std::string_view(field).substr(0, equals))};
    pair.bare = equals == std::string::npos;
    if (!pair.bare) pair.value = field.substr(equals + 1);
    const bool may_be_bare = pair.key == "readonly" || pair.key == "readwrite" ||
                             pair.key == "required" || pair.key == "z";
    if (pair.bare && !may_be_bare) refuse(cat(pair.key, " needs a value"));
    pairs.push_back(std::move(pair));
  }
  return pairs;
}

bool truth_of(const Field& pair, const std::string& value) {
  const std::string lower = lower_case(value);
  if (pair.bare || lower == "true" || lower == "1") return true;
  if (lower == "false" || lower == "0") return false;
  refuse(cat(pair.key, " is true or false, not ", quoted(value)));
}

std::uint32_t number_of(const std::string& key, const std::string& value) {
  const auto number = parse_decimal(value);
  if (!number || *number >= std::numeric_limits<std::uint32_t>::max())
    refuse(cat(key, " ", quoted(value), " is no id"));
  return static_cast<std::uint32_t>(*number);
}

std::uint32_t mode_of(const std::string& value) {
  const bool octal = !value.empty() && value.size() <= 6 &&
                     value.find_first_not_of("01234567") == std::string::npos;
  std::uint32_t mode = 0;
  for (const char c : value) mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
  if (!octal || mode > 07777) refuse(cat("mode ", quoted(value), " is not an octal mode"));
  return mode;
}

RunMount::Sharing sharing_of(const std::string& value) {
  if (value == "shared") return RunMount::Sharing::shared;
  if (value == "private") return RunMount::Sharing::exclusive;
  if (value == "locked") return RunMount::Sharing::locked;
  refuse(cat("sharing is shared, private or locked, not ", quoted(value)));
}

const KindRule& kind_named(const std::string& name) {
  const auto* const rule = std::find_if(kKinds.begin(), kKinds.end(),
                                        [&](const KindRule& known) { return known.name == name; });
  if (rule == kKinds.end())
    refuse(cat("type is bind, cache, tmpfs, secret or ssh, not ", quoted(name)));
  return *rule;
}

void set(RunMount& mount, const Field& pair, const std::string& value) {
  if (pair.key == "from") mount.from = pair.value;
  if (pair.key == "source") mount.source = value;
  if (pair.key == "target") mount.target = value;
  if (pair.key == "id") mount.id = value;
  if (pair.key == "env") mount.environment = value;
  if (pair.key == "readonly") mount.readonly = truth_of(pair, value);
  if (pair.key == "readwrite") mount.readonly = !truth_of(pair, value);
  if (pair.key == "required") mount.required = truth_of(pair, value);
  if (pair.key == "sharing") mount.sharing = sharing_of(value);
  if (pair.key == "size") mount.size = parse_byte_count(value);
  if (pair.key == "mode") mount.mode = mode_of(value);
  if (pair.key == "uid") mount.uid = number_of("uid", value);
  if (pair.key == "gid") mount.gid = number_of("gid", value);
}

void check(const RunMount& mount) {
  const bool has_target = !mount.target.empty();
  const bool own_place = mount.kind == RunMount::Kind::secret || mount.kind == RunMount::Kind::ssh;
  if (!has_target && !own_place) refuse("target is missing");
  if (mount.kind == RunMount::Kind::secret && mount.id.empty() && mount.source.empty() &&
      !has_target)
    refuse("a secret needs an id");
}

}  // namespace

std::uint64_t parse_byte_count(std::string_view text) {
  constexpr std::string_view kUnits = "bkmgt";
  std::string lower = lower_case(trimmed(text));
  std::uint64_t factor = 1;
  if (lower.size() > 1 && lower.back() == 'b' && kUnits.find(lower[lower.size() - 2]) != 0)
    if (kUnits.find(lower[lower.size() - 2]) != std::string_view::npos) lower.pop_back();
  if (!lower.empty()) {
    const std::size_t unit = kUnits.find(lower.back());
    if (unit != std::string_view::npos) {
      factor = std::uint64_t{1} << (10 * unit);
      lower.pop_back();
    }
  }
  const auto number = parse_decimal(lower);
  if (!number || *number > std::numeric_limits<std::int64_t>::max() / factor)
    throw Error(Errc::invalid_content, cat("size ", quoted(text), " is no number of bytes"));
  return *number * factor;
}

std::string from_of_run_mount(std::string_view text) {
  std::string from;
  for (const Field& pair : pairs_in(text)) {
    if (pair.key == "from") from = pair.value;
  }
  if (from.find('$') != std::string::npos)
    refuse("from does not expand variables: name a stage with FROM IMAGE AS NAME");
  return from;
}

RunMount parse_run_mount(std::string_view text, const Expander& expander) {
  const std::vector<Field> pairs = pairs_in(text);
  std::string type = "bind";
  for (const Field& pair : pairs) {
    if (pair.key == "type") type = lower_case(expander.word(pair.value));
  }
  const KindRule& rule = kind_named(type);
  RunMount mount{.kind = rule.kind, .readonly = rule.kind == RunMount::Kind::bind};
  for (const Field& pair : pairs) {
    if (pair.key == "type" || pair.key == "z") continue;  // labels follow the policy of the machine
    if (std::find(rule.keys.begin(), rule.keys.end(), pair.key) == rule.keys.end())
      refuse(cat(pair.key, " is nothing that type=", type, " takes"));
    set(mount, pair, expander.word(pair.value));
  }
  check(mount);
  return mount;
}

}  // namespace lade::build
