#include <algorithm>
#include <array>

#include "libimage/base/text.h"
#include "libimage/base/timestamp.h"
#include "libimage/validate/check_parts.h"

namespace lade::validate {
namespace {

constexpr std::array<std::string_view, 15> kKnownAnnotations = {
    "created",     "authors",     "url",       "documentation", "source",
    "version",     "revision",    "vendor",    "licenses",      "title",
    "description", "base.digest", "base.name", "ref.name",      "manifest"};

constexpr std::array<std::string_view, 18> kSystems = {
    "aix",   "android", "darwin", "dragonfly", "freebsd", "hurd",    "illumos", "ios",     "js",
    "linux", "nacl",    "netbsd", "openbsd",   "plan9",   "solaris", "wasip1",  "windows", "zos"};
constexpr std::array<std::string_view, 19> kArchitectures = {
    "386",      "amd64",  "arm",     "arm64", "loong64", "mips",  "mips64",
    "mips64le", "mipsle", "ppc",     "ppc64", "ppc64le", "riscv", "riscv64",
    "s390",     "s390x",  "sparc64", "wasm",  "amd64p32"};

template <typename List>
bool is_in(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

/// BuildKit's attestations have this platform by convention.
bool is_known_platform_word(std::string_view word, bool is_os) {
  return word == "unknown" || (is_os ? is_in(kSystems, word) : is_in(kArchitectures, word));
}

void check_names(const std::string* os, const std::string* architecture, const std::string& path,
                 const Notes& notes) {
  if (os != nullptr && !is_known_platform_word(*os, true)) {
    notes.add("platform-name", below(path, "os"), cat(quoted(*os), " is no GOOS"));
  }
  if (architecture != nullptr && !is_known_platform_word(*architecture, false)) {
    notes.add("platform-name", below(path, "architecture"),
              cat(quoted(*architecture), " is no GOARCH"));
  }
}

void check_variant(const std::string* architecture, const std::string* variant,
                   const std::string& path, const Notes& notes) {
  if (architecture == nullptr || variant == nullptr || variant->empty()) return;
  const bool listed = *architecture == "arm"
                          ? is_in(std::array<std::string_view, 4>{"v5", "v6", "v7", "v8"}, *variant)
                      : *architecture == "arm64"
                          ? variant->starts_with("v8") || variant->starts_with("v9")
                      : *architecture == "amd64"
                          ? is_in(std::array<std::string_view, 4>{"v1", "v2", "v3", "v4"}, *variant)
                          : true;
  if (!listed) {
    notes.add("platform-variant", below(path, "variant"),
              cat(quoted(*variant), " is no variant of ", quoted(*architecture)));
  }
}

void check_time(Object& in, const std::string& path, std::string_view type_rule,
                const Notes& notes) {
  const std::string* created = text_member(in, "created", path, type_rule, notes);
  if (created != nullptr && !parse_rfc3339(*created)) {
    notes.add("config-created", below(path, "created"),
              cat(quoted(*created), " is no time of RFC 3339"));
  }
}

bool is_port(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto number = parse_decimal(text.substr(0, slash));
  if (!number || *number > 65535) return false;
  if (slash == std::string_view::npos) return true;
  const std::string_view protocol = text.substr(slash + 1);
  return protocol == "tcp" || protocol == "udp" || protocol == "sctp";
}

void check_ports(Object& config, const Notes& notes) {
  check_name_set(config, "ExposedPorts", "config", "config-execution", Null::refused, notes);
  Value* value = member(config, "ExposedPorts");
  auto* ports = value == nullptr ? nullptr : value->as<Object>();
  if (ports == nullptr) return;
  for (const auto& [port, nothing] : *ports) {
    if (!is_port(port)) {
      notes.add("config-exposed-ports", below("config.ExposedPorts", printable(port)),
                "is no port");
    }
  }
}

void check_variables(Object& config, const Notes& notes) {
  check_texts(config, "Env", "config", "config-execution", Null::refused, notes);
  Value* value = member(config, "Env");
  auto* list = value == nullptr ? nullptr : value->as<Array>();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto* text = (*list)[i].as<std::string>();
    if (text == nullptr) continue;
    const std::size_t equals = text->find('=');
    if (equals == std::string::npos || equals == 0) {
      notes.add("config-env", item("config.Env", i), cat(quoted(*text), " is not NAME=VALUE"));
    }
  }
}

void check_execution(Object& in, const Notes& notes) {
  Object* config = object_member(in, "config", "", "config-execution", notes);
  if (config == nullptr) return;
  const std::string rule_id = "config-execution";
  for (const std::string_view name : {"User", "WorkingDir", "StopSignal"}) {
    (void)text_member(*config, name, "config", rule_id, notes);
  }
  check_ports(*config, notes);
  check_variables(*config, notes);
  check_texts(*config, "Entrypoint", "config", rule_id, Null::allowed, notes);
  check_texts(*config, "Cmd", "config", rule_id, Null::allowed, notes);
  check_name_set(*config, "Volumes", "config", rule_id, Null::allowed, notes);
  check_text_map(*config, "Labels", "config", rule_id, Null::allowed, notes);
  if (Value* escaped = member(*config, "ArgsEscaped");
      escaped != nullptr && escaped->as<bool>() == nullptr) {
    notes.add(rule_id, "config.ArgsEscaped", "is no boolean");
  }
  Value* signal = member(*config, "StopSignal");
  const auto* text = signal == nullptr ? nullptr : signal->as<std::string>();
  if (text != nullptr && !text->empty() && !text->starts_with("SIG") && !parse_decimal(*text)) {
    notes.add("config-stop-signal", "config.StopSignal", cat("is ", quoted(*text)));
  }
}

void check_rootfs(Object& in, ConfigFacts& facts, const Notes& notes) {
  if (!require_member(in, "rootfs", "", "config-rootfs", notes)) return;
  Object* rootfs = object_member(in, "rootfs", "", "config-rootfs", notes);
  if (rootfs == nullptr) return;
  if (require_member(*rootfs, "type", "rootfs", "config-rootfs", notes)) {
    const std::string* type = text_member(*rootfs, "type", "rootfs", "config-rootfs", notes);
    if (type != nullptr && *type != "layers") {
      notes.add("config-rootfs", "rootfs.type", cat("is ", quoted(*type), ", not 'layers'"));
    }
  }
  if (!require_member(*rootfs, "diff_ids", "rootfs", "config-rootfs", notes)) return;
  check_texts(*rootfs, "diff_ids", "rootfs", "config-rootfs", Null::refused, notes);
  auto* list = member(*rootfs, "diff_ids")->as<Array>();
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    const auto* text = (*list)[i].as<std::string>();
    facts.diff_ids.push_back(text == nullptr ? std::string() : *text);
    if (text != nullptr) (void)check_digest(*text, item("rootfs.diff_ids", i), notes);
  }
}

void check_history(Object& in, ConfigFacts& facts, const Notes& notes) {
  Array* list = array_member(in, "history", "", "config-history", notes);
  if (list == nullptr) return;
  facts.has_history = true;
  for (std::size_t i = 0; i < list->size(); ++i) {
    const std::string path = item("history", i);
    auto* entry = (*list)[i].as<Object>();
    if (entry == nullptr) {
      notes.add("config-history", path, cat("is ", (*list)[i].kind(), ", not an object"));
      continue;
    }
    check_time(*entry, path, "config-history", notes);
    for (const std::string_view name : {"author", "created_by", "comment"}) {
      (void)text_member(*entry, name, path, "config-history", notes);
    }
    Value* empty = member(*entry, "empty_layer");
    const bool* is_empty = empty == nullptr ? nullptr : empty->as<bool>();
    if (empty != nullptr && is_empty == nullptr) {
      notes.add("config-history", below(path, "empty_layer"), "is no boolean");
    }
    if (is_empty == nullptr || !*is_empty) ++facts.layers_in_history;
  }
}

}  // namespace

void check_annotations(Object& in, const std::string& path, const Notes& notes) {
  check_text_map(in, "annotations", path, "annotations", Null::refused, notes);
  Value* value = member(in, "annotations");
  auto* map = value == nullptr ? nullptr : value->as<Object>();
  if (map == nullptr) return;
  constexpr std::string_view kPrefix = "org.opencontainers.";
  constexpr std::string_view kImage = "org.opencontainers.image.";
  for (auto& [key, item_value] : *map) {
    const std::string where = below(below(path, "annotations"), printable(key));
    const auto* text = item_value.as<std::string>();
    if (!key.starts_with(kPrefix) || text == nullptr) continue;
    if (!key.starts_with(kImage) ||
        !is_in(kKnownAnnotations, std::string_view(key).substr(kImage.size()))) {
      notes.add("annotation-reserved", where, "is not one of the specification's");
    } else if (key == "org.opencontainers.image.created" && !parse_rfc3339(*text)) {
      notes.add("annotation-value", where, cat(quoted(*text), " is no time of RFC 3339"));
    } else if (key == "org.opencontainers.image.base.digest" && !Digest::try_parse(*text)) {
      notes.add("annotation-value", where, cat(quoted(*text), " is no digest"));
    }
  }
}

void check_platform(Object& entry, const std::string& path, const Notes& notes) {
  Object* platform = object_member(entry, "platform", path, "platform", notes);
  if (platform == nullptr) return;
  const std::string place = below(path, "platform");
  const bool has_architecture = require_member(*platform, "architecture", place, "platform", notes);
  const bool has_os = require_member(*platform, "os", place, "platform", notes);
  const auto text = [&](std::string_view name) {
    return text_member(*platform, name, place, "platform", notes);
  };
  const std::string* architecture = has_architecture ? text("architecture") : nullptr;
  const std::string* os = has_os ? text("os") : nullptr;
  const std::string* variant = text("variant");
  (void)text("os.version");
  check_texts(*platform, "os.features", place, "platform", Null::refused, notes);
  check_names(os, architecture, place, notes);
  check_variant(architecture, variant, place, notes);
}

void check_config(Object& in, ConfigFacts& facts, const Notes& notes) {
  check_time(in, "", "config-created", notes);
  (void)text_member(in, "author", "", "config-author", notes);
  const bool has_architecture =
      require_member(in, "architecture", "", "config-architecture", notes);
  const bool has_os = require_member(in, "os", "", "config-os", notes);
  const std::string* architecture =
      has_architecture ? text_member(in, "architecture", "", "config-architecture", notes)
                       : nullptr;
  const std::string* os = has_os ? text_member(in, "os", "", "config-os", notes) : nullptr;
  const std::string* variant = text_member(in, "variant", "", "config-architecture", notes);
  (void)text_member(in, "os.version", "", "config-os", notes);
  check_texts(in, "os.features", "", "config-os", Null::refused, notes);
  check_names(os, architecture, "", notes);
  check_variant(architecture, variant, "", notes);
  if (os != nullptr) facts.os = *os;
  if (architecture != nullptr) facts.architecture = *architecture;
  check_execution(in, notes);
  check_rootfs(in, facts, notes);
  check_history(in, facts, notes);
}

}  // namespace lade::validate
