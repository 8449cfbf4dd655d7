/// Container Device Interface: files in /etc/cdi and /var/run/cdi that say what a container needs
/// to use a vendor's device (CDI specification 0.3 to 1.0, SPEC.md).
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

struct CdiDeviceNode {
  std::string path = {};       ///< in the container, absolute
  std::string host_path = {};  ///< "": the same
  std::string type = {};       ///< "b", "c", "u", "p"; "": what the host's is
  std::optional<std::uint32_t> major = {}, minor = {};  ///< absent: what the host's has
  std::optional<std::uint32_t> file_mode = {}, uid = {}, gid = {};
  std::string permissions = {};  ///< of "rwm"; "": all
  bool operator==(const CdiDeviceNode&) const = default;
};

struct CdiMount {
  std::string host_path = {};
  std::string container_path = {};
  std::string type = {};  ///< "": a bind
  std::vector<std::string> options = {};
  bool operator==(const CdiMount&) const = default;
};

struct CdiHook {
  std::string name = {};  ///< "createContainer", ...
  std::string path = {};
  std::vector<std::string> args = {};
  std::vector<std::string> env = {};
  std::optional<std::uint32_t> timeout = {};  ///< seconds
  bool operator==(const CdiHook&) const = default;
};

struct CdiEdits {
  std::vector<std::string> env = {};  ///< NAME=VALUE
  std::vector<CdiDeviceNode> device_nodes = {};
  std::vector<CdiMount> mounts = {};
  std::vector<CdiHook> hooks = {};
  std::vector<std::uint32_t> additional_gids = {};
  bool operator==(const CdiEdits&) const = default;

  /// Adds what `more` has, behind what is here.
  void add(const CdiEdits& more);
};

/// One file: the devices of one kind ("vendor.com/class").
struct CdiSpec {
  std::string kind = {};
  CdiEdits edits = {};  ///< for each of its devices
  std::map<std::string, CdiEdits> devices = {};

  /// Reads YAML or JSON. Error{invalid_content} with the line for what is no specification,
  /// Error{limit_exceeded} beyond parse_yaml()'s bounds; what asks for more than this version knows
  /// (intelRdt, networks) is Error{unsupported}.
  static CdiSpec parse(std::string_view text);
};

/// True for "vendor.com/class=device".
bool is_cdi_name(std::string_view text);

/// The specifications in some directories, later ones before earlier; directories that are not
/// there have none.
class CdiRegistry {
 public:
  /// Reads every *.json, *.yaml and *.yml file, in order of their names. Errors name the file.
  static CdiRegistry read(const std::vector<std::string>& directories);

  /// What a container needs for "vendor.com/class=device", with "*" for all devices of the kind and
  /// without "=" for the first of them; nullopt if there is no such device. Of two directories that
  /// have it the later decides; two files of one directory are Error{invalid_content}.
  [[nodiscard]] std::optional<CdiEdits> find(std::string_view name) const;

 private:
  struct Entry {
    std::size_t directory = 0;
    std::string file = {};
    CdiSpec spec = {};
  };
  [[nodiscard]] const Entry* owner(std::string_view kind, const std::string& device) const;
  std::vector<Entry> entries_;
};

}  // namespace lade
