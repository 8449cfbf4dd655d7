#include "libimage/config/cdi.h"

#include <algorithm>
#include <functional>

#include <sys/stat.h>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/yaml.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

using Kind = YamlValue::Kind;

constexpr std::uint64_t kMaxFileBytes = std::uint64_t{4} << 20U;  // vendors' are of 50 KiB
constexpr std::size_t kMaxFiles = 1000;

[[noreturn]] void fail(const YamlValue& value, std::string_view rule) {
  throw Error(Errc::invalid_content,
              cat("line ", value.line, ": ", quoted(std::string_view(value.key).substr(0, 100)),
                  " ", rule));
}

std::string text_of(const YamlValue& value) {
  if (value.kind != Kind::scalar) fail(value, "must be a text");
  if (value.text.find('\0') != std::string::npos) fail(value, "has a zero byte");
  return value.text;
}

std::string path_of(const YamlValue& value) {
  std::string path = text_of(value);
  if (!path.starts_with('/')) fail(value, "must be an absolute path");
  return path;
}

std::uint32_t number_of(const YamlValue& value) {
  const auto number = parse_decimal(text_of(value));
  if (!number || *number >= UINT32_MAX) fail(value, "must be a number");
  return static_cast<std::uint32_t>(*number);
}

const std::vector<YamlValue>& items_of(const YamlValue& value) {
  if (value.kind != Kind::sequence && value.kind != Kind::null) fail(value, "must be a list");
  return value.items;
}

std::vector<std::string> texts_of(const YamlValue& value) {
  std::vector<std::string> out;
  for (const YamlValue& item : items_of(value)) out.push_back(text_of(item));
  return out;
}

/// Calls `read` for each member; what it does not know is an error.
void for_members(const YamlValue& value, const std::function<bool(const YamlValue&)>& read) {
  if (value.kind != Kind::mapping) fail(value, "must be a mapping");
  for (const YamlValue& member : value.members) {
    if (member.kind != Kind::null && !read(member)) fail(member, "is unknown");
  }
}

CdiDeviceNode node_of(const YamlValue& value) {
  CdiDeviceNode out;
  for_members(value, [&](const YamlValue& m) {
    if (m.key == "path") {
      out.path = path_of(m);
    } else if (m.key == "hostPath") {
      out.host_path = path_of(m);
    } else if (m.key == "type") {
      out.type = text_of(m);
    } else if (m.key == "major") {
      out.major = number_of(m);
    } else if (m.key == "minor") {
      out.minor = number_of(m);
    } else if (m.key == "fileMode") {
      out.file_mode = number_of(m);
    } else if (m.key == "uid") {
      out.uid = number_of(m);
    } else if (m.key == "gid") {
      out.gid = number_of(m);
    } else if (m.key == "permissions") {
      out.permissions = text_of(m);
    } else {
      return false;
    }
    return true;
  });
  if (out.path.empty()) fail(value, "a device node has no path");
  const std::string_view types = "bcup";
  if (out.type.size() > 1 || types.find(out.type) == std::string_view::npos)
    fail(value, "the type of a device node is b, c, u or p");
  if (out.permissions.find_first_not_of("rwm") != std::string::npos)
    fail(value, "permissions are of rwm");
  return out;
}

CdiMount mount_of(const YamlValue& value) {
  CdiMount out;
  for_members(value, [&](const YamlValue& m) {
    if (m.key == "hostPath") {
      out.host_path = text_of(m);
    } else if (m.key == "containerPath") {
      out.container_path = path_of(m);
    } else if (m.key == "type") {
      out.type = text_of(m);
    } else if (m.key == "options") {
      out.options = texts_of(m);
    } else {
      return false;
    }
    return true;
  });
  if (out.host_path.empty() || out.container_path.empty())
    fail(value, "a mount has hostPath and containerPath");
  return out;
}

CdiHook hook_of(const YamlValue& value) {
  CdiHook out;
  for_members(value, [&](const YamlValue& m) {
    if (m.key == "hookName") {
      out.name = text_of(m);
    } else if (m.key == "path") {
      out.path = path_of(m);
    } else if (m.key == "args") {
      out.args = texts_of(m);
    } else if (m.key == "env") {
      out.env = texts_of(m);
    } else if (m.key == "timeout") {
      out.timeout = number_of(m);
    } else {
      return false;
    }
    return true;
  });
  if (out.name.empty() || out.path.empty()) fail(value, "a hook has hookName and path");
  return out;
}

CdiEdits edits_of(const YamlValue& value) {
  CdiEdits out;
  for_members(value, [&](const YamlValue& m) {
    if (m.key == "env") {
      out.env = texts_of(m);
      for (const std::string& variable : out.env) {
        if (variable.find('=') == std::string::npos || variable.starts_with('='))
          fail(m, "has a variable that is not NAME=VALUE");
      }
    } else if (m.key == "deviceNodes") {
      for (const YamlValue& item : items_of(m)) out.device_nodes.push_back(node_of(item));
    } else if (m.key == "mounts") {
      for (const YamlValue& item : items_of(m)) out.mounts.push_back(mount_of(item));
    } else if (m.key == "hooks") {
      for (const YamlValue& item : items_of(m)) out.hooks.push_back(hook_of(item));
    } else if (m.key == "additionalGids") {
      for (const YamlValue& item : items_of(m)) out.additional_gids.push_back(number_of(item));
    } else if (m.key == "intelRdt" || m.key == "netDevices") {
      throw Error(Errc::unsupported, cat("line ", m.line, ": ", m.key, " is not implemented"));
    } else {
      return false;
    }
    return true;
  });
  return out;
}

bool is_name(std::string_view text, std::string_view others) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  if (text.empty() || text.size() > 253 || !plain(text.front()) || !plain(text.back()))
    return false;
  return std::all_of(text.begin(), text.end(),
                     [&](char c) { return plain(c) || others.find(c) != std::string_view::npos; });
}

bool is_kind(std::string_view text) {
  const std::size_t slash = text.find('/');
  return slash != std::string_view::npos && is_name(text.substr(0, slash), "._-") &&
         is_name(text.substr(slash + 1), "_-.");
}

constexpr std::string_view kDeviceCharacters = "._-:";

}  // namespace

void CdiEdits::add(const CdiEdits& more) {
  env.insert(env.end(), more.env.begin(), more.env.end());
  device_nodes.insert(device_nodes.end(), more.device_nodes.begin(), more.device_nodes.end());
  mounts.insert(mounts.end(), more.mounts.begin(), more.mounts.end());
  hooks.insert(hooks.end(), more.hooks.begin(), more.hooks.end());
  additional_gids.insert(additional_gids.end(), more.additional_gids.begin(),
                         more.additional_gids.end());
}

CdiSpec CdiSpec::parse(std::string_view text) {
  const YamlValue root = parse_yaml(text);
  CdiSpec out;
  std::string version;
  for_members(root, [&](const YamlValue& m) {
    if (m.key == "cdiVersion") {
      version = text_of(m);
    } else if (m.key == "kind") {
      out.kind = text_of(m);
      if (!is_kind(out.kind)) fail(m, "must be vendor.com/class");
    } else if (m.key == "containerEdits") {
      out.edits = edits_of(m);
    } else if (m.key == "devices") {
      for (const YamlValue& device : items_of(m)) {
        const YamlValue* name = device.find("name");
        if (name == nullptr || !is_name(text_of(*name), kDeviceCharacters))
          fail(m, "has a device without a name");
        const YamlValue* given = device.find("containerEdits");
        if (!out.devices.emplace(name->text, given == nullptr ? CdiEdits{} : edits_of(*given))
                 .second)
          fail(*name, "names a device twice");
      }
    } else {
      return m.key == "annotations";
    }
    return true;
  });
  if (version.empty() || out.kind.empty())
    throw Error(Errc::invalid_content, "a CDI specification has cdiVersion and kind");
  return out;
}

bool is_cdi_name(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !is_kind(text.substr(0, equals))) return false;
  return text.substr(equals + 1) == "*" || is_name(text.substr(equals + 1), kDeviceCharacters);
}

CdiRegistry CdiRegistry::read(const std::vector<std::string>& directories) {
  CdiRegistry out;
  for (std::size_t i = 0; i < directories.size(); ++i) {
    struct stat found {};
    if (::stat(directories[i].c_str(), &found) != 0) continue;
    std::vector<std::string> names = list_names(open_dir(directories[i]));
    std::sort(names.begin(), names.end());
    for (const std::string& name : names) {
      const bool json = name.ends_with(".json");
      if (!json && !name.ends_with(".yaml") && !name.ends_with(".yml")) continue;
      if (out.entries_.size() == kMaxFiles)
        throw Error(Errc::limit_exceeded, cat("more than ", kMaxFiles, " CDI specifications"));
      const std::string path = cat(directories[i], "/", name);
      with_context([&] { return cat("CDI specification ", quoted(path)); },
                   [&] {
                     std::string text = read_file(path, kMaxFileBytes);
                     // JSON may be indented by tabs, YAML may not; in texts it has none.
                     if (json) std::replace(text.begin(), text.end(), '\t', ' ');
                     out.entries_.push_back({i, path, CdiSpec::parse(text)});
                   });
    }
  }
  return out;
}

const CdiRegistry::Entry* CdiRegistry::owner(std::string_view kind,
                                             const std::string& device) const {
  const Entry* best = nullptr;
  for (const Entry& entry : entries_) {
    if (entry.spec.kind != kind || !entry.spec.devices.contains(device)) continue;
    if (best != nullptr && best->directory == entry.directory)
      throw Error(Errc::invalid_content, cat("device ", quoted(cat(kind, "=", device)), " is in ",
                                             quoted(best->file), " and in ", quoted(entry.file)));
    best = &entry;
  }
  return best;
}

std::optional<CdiEdits> CdiRegistry::find(std::string_view name) const {
  const std::size_t equals = std::min(name.find('='), name.size());
  const std::string_view kind = name.substr(0, equals);
  std::string device(name.substr(std::min(equals + 1, name.size())));
  std::vector<std::string> wanted;
  for (const Entry& entry : entries_) {
    if (entry.spec.kind != kind) continue;
    for (const auto& [known, edits] : entry.spec.devices) {
      const bool taken = device == "*" || device == known || (device.empty() && wanted.empty());
      if (taken && std::find(wanted.begin(), wanted.end(), known) == wanted.end())
        wanted.push_back(known);
    }
  }
  if (wanted.empty()) return std::nullopt;
  CdiEdits out;
  std::vector<const Entry*> common;  // whose own edits are there already
  for (const std::string& each : wanted) {
    const Entry* entry = owner(kind, each);
    if (std::find(common.begin(), common.end(), entry) == common.end()) {
      out.add(entry->spec.edits);
      common.push_back(entry);
    }
    out.add(entry->spec.devices.at(each));
  }
  return out;
}

}  // namespace lade
