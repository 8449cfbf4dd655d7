#include "libimage/config/storage_conf.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "libimage/base/error.h"
#include "libimage/base/text.h"
#include "libimage/config/toml_reader.h"
#include "libimage/io/path.h"

namespace lade {
namespace {

constexpr std::uint64_t kMaxConfBytes = std::uint64_t{1} << 20U;
constexpr std::string_view kChownErrors = "ignore_chown_errors";

/// Of a driver's own table, or of [storage.options] for any driver: options that change how files
/// are stored. The others matter to running containers alone.
constexpr std::string_view kDriverKeys[] = {kChownErrors, "force_mask", "use_composefs"};

/// Mappings of owners that all new layers would get.
constexpr std::string_view kMappings[] = {"remap-uids", "remap-gids", "remap-user", "remap-group"};

bool is_there(const std::string& path) {
  std::error_code failure;  // of what cannot be looked at, reading tells why
  const bool found = !path.empty() && std::filesystem::exists(path, failure);
  return found || failure;
}

[[noreturn]] void refuse(const TomlTable& table, std::string_view key) {
  throw Error(Errc::unsupported, cat(table.path(key), " is not supported"));
}

std::optional<TomlTable> table_in(const TomlTable& parent, std::string_view key) {
  const std::vector<TomlTable> found = parent.tables(key);
  if (found.empty()) return std::nullopt;
  if (found.size() > 1) {
    throw Error(Errc::invalid_content, cat(parent.path(key), " is there more than once"));
  }
  return found.front();
}

void read_options(const TomlTable& options, StorageConf& conf) {
  for (const std::string_view key : kMappings) {
    if (!options.text(key).empty()) refuse(options, key);
  }
  conf.image_stores = options.texts("additionalimagestores");
  for (const std::string& path : options.texts("additionallayerstores")) {
    conf.driver_options.push_back(cat(conf.driver, ".additionallayerstore=", path));
  }
  std::optional<TomlTable> own;
  if (!conf.driver.empty()) own = table_in(options, conf.driver);
  for (const std::string_view key : kDriverKeys) {
    std::string value = own ? own->text(key) : std::string();
    if (value.empty()) value = options.text(key);
    if (!value.empty()) conf.driver_options.push_back(cat(conf.driver, ".", key, "=", value));
  }
}

/// "overlay2" is an old name.
std::string driver_of(std::string name) { return name == "overlay2" ? "overlay" : name; }

/// The file that counts; nullopt: none is there.
std::optional<std::string> conf_file(const StorageConfSources& sources) {
  if (!sources.explicit_file.empty()) return sources.explicit_file;
  if (is_there(sources.user_file)) return sources.user_file;
  const auto found =
      std::find_if(sources.system_files.begin(), sources.system_files.end(), is_there);
  if (found == sources.system_files.end()) return std::nullopt;
  return *found;
}

/// What a file of the system says to a user who is not root.
void keep_what_users_share(StorageConf& conf) {
  conf.graph_root.clear();
  conf.run_root.clear();
  conf.image_stores.clear();
  auto& options = conf.driver_options;
  options.erase(std::remove_if(options.begin(), options.end(),
                               [](const std::string& option) {
                                 return option.find(kChownErrors) == std::string::npos;
                               }),
                options.end());
}

StorageConf read_first(const StorageConfSources& sources) {
  const std::optional<std::string> file = conf_file(sources);
  if (!file) return {.driver = driver_of(sources.driver)};
  StorageConf conf = parse_storage_conf(read_file(*file, kMaxConfBytes), *file, sources.driver);
  const bool of_system = *file != sources.explicit_file && *file != sources.user_file;
  if (sources.user != 0 && of_system) keep_what_users_share(conf);
  return conf;
}

void set_defaults(const StorageConfSources& sources, StorageConf& conf) {
  const bool root = sources.user == 0;
  if (conf.graph_root.empty() && !root) conf.graph_root = conf.rootless_graph_root;
  if (conf.graph_root.empty()) {
    conf.graph_root = root ? "/var/lib/containers/storage" : sources.user_graph_root;
  }
  if (conf.run_root.empty()) {
    conf.run_root = root ? "/run/containers/storage" : sources.user_run_root;
  }
}

void check_path(const std::string& path, std::string_view what) {
  if (path.empty() || (path.starts_with('/') && path.find('\0') == std::string::npos)) return;
  throw Error(Errc::invalid_content, cat("storage configuration: ", what, " ", lade::quoted(path),
                                         ": the path must begin with '/'"));
}

bool is_name_character(char c) {
  return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

}  // namespace

StorageConf parse_storage_conf(std::string_view text, const std::string& file,
                               const std::string& driver) {
  const TomlDocument document(text, file);
  StorageConf conf{.driver = driver_of(driver)};
  const std::optional<TomlTable> storage = table_in(document.root(), "storage");
  if (!storage) return conf;
  const std::string named = driver_of(storage->text("driver"));
  if (conf.driver.empty()) conf.driver = named;
  conf.graph_root = storage->text("graphroot");
  conf.run_root = storage->text("runroot");
  conf.rootless_graph_root = storage->text("rootless_storage_path");
  if (!storage->text("imagestore").empty()) refuse(*storage, "imagestore");
  const std::vector<std::string> priority = storage->texts("driver_priority");
  if (conf.driver.empty() && !priority.empty() && driver_of(priority.front()) != "overlay") {
    throw Error(Errc::unsupported, cat(storage->path("driver_priority"),
                                       " is not supported: name the driver instead"));
  }
  if (const auto options = table_in(*storage, "options")) read_options(*options, conf);
  return conf;
}

StorageConf find_storage(const StorageConfSources& sources) {
  StorageConf conf = read_first(sources);
  set_defaults(sources, conf);
  if (!sources.driver_options.empty()) {
    for (const std::string_view option : split(sources.driver_options, ',')) {
      conf.driver_options.emplace_back(option);
    }
  }
  conf.graph_root = expanded_path(conf.graph_root, sources.variable);
  conf.run_root = expanded_path(conf.run_root, sources.variable);
  check_path(conf.graph_root, "graphroot");
  check_path(conf.run_root, "runroot");
  for (const std::string& path : conf.image_stores) check_path(path, "additionalimagestores");
  return conf;
}

std::string expanded_path(std::string_view path,
                          const std::function<std::string(const std::string&)>& variable) {
  std::string out;
  for (std::size_t at = 0; at < path.size();) {
    if (path[at] != '$') {
      out += path[at++];
      continue;
    }
    const bool braced = path.substr(at).starts_with("${");
    const std::size_t first = at + (braced ? 2 : 1);
    std::size_t end = first;
    while (end < path.size() && is_name_character(path[end])) ++end;
    const bool closed = !braced || (end < path.size() && path[end] == '}');
    if (end == first || !closed) {
      out += path[at++];
      continue;
    }
    out += variable(std::string(path.substr(first, end - first)));
    at = end + (braced ? 1 : 0);
  }
  return out;
}

}  // namespace lade
