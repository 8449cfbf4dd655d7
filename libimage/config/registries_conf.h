/// registries.conf, version 2 (containers-registries.conf(5)): where the names of registries lead.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lade {

/// The entry of `credential-helpers` that stands for the auth files.
inline constexpr const char* kAuthFilesHelper = "containers-auth.json";

/// Largest registries.conf that is read.
inline constexpr std::size_t kMaxRegistriesConfBytes = std::size_t{1} << 20;

/// What one file says, or several that were merged.
struct RegistriesConf {
  /// Which references a mirror is asked for.
  enum class PullFrom { all, digests, tags };
  struct Mirror {
    std::string location;
    bool insecure = false;
    PullFrom serves = PullFrom::all;
    bool operator==(const Mirror&) const = default;
  };
  /// A [[registry]] table.
  struct Rule {
    std::string prefix;    ///< of full names: host[:port][/path][:tag|@digest], or "*.domain"
    std::string location;  ///< what takes the prefix's place; "": nothing changes
    bool insecure = false;
    bool blocked = false;
    std::vector<Mirror> mirrors = {};
    std::string file = {};  ///< where it stands, for messages
    bool operator==(const Rule&) const = default;
  };
  /// What a short name means.
  struct Alias {
    std::string name;  ///< a full name without tag; "": the alias of an earlier file is taken back
    std::string file = {};
    bool operator==(const Alias&) const = default;
  };
  enum class ShortNames { permissive, enforcing, disabled };

  std::vector<Rule> rules = {};  ///< sorted by prefix, each prefix once
  std::optional<std::vector<std::string>> search_registries = {};
  std::string search_file = {};  ///< where those stand
  std::optional<std::vector<std::string>> credential_helpers = {};
  std::optional<ShortNames> short_names = {};
  std::map<std::string, Alias, std::less<>> aliases = {};
  bool operator==(const RegistriesConf&) const = default;

  /// Reads the text of `file`. Keys that it does not know are ignored, as everywhere in the
  /// ecosystem, but `proxy` and `namespace-proxy`, which would change who is asked, are refused.
  /// Of two rules with one prefix the first counts; rules that differ in what they say of one
  /// location's safety are refused, and so are files in the old version 1. Throws
  /// Error{invalid_content, unsupported, limit_exceeded} naming the file and the key.
  static RegistriesConf parse(std::string_view text, const std::string& file);

  /// Takes over what `later` says: its rules and aliases beside or in place of those here, its
  /// other settings where it has them.
  void merge(RegistriesConf later);

  /// The rule with the longest prefix of `name`, a full name as Reference::str() spells it; nullptr
  /// if there is none.
  [[nodiscard]] const Rule* rule_for(std::string_view name) const;
};

/// How much of `name` is covered by a rule's `prefix`; nullopt: the rule does not apply. A prefix
/// ends where a component, the port, the tag or the digest begins.
std::optional<std::size_t> covered_by(std::string_view prefix, std::string_view name);

/// Where the files are.
struct RegistriesConfPaths {
  std::string main_file = {};       ///< --registries-conf: instead of the main files
  std::string only_file = {};       ///< $CONTAINERS_REGISTRIES_CONF: instead of all files
  std::string override_file = {};   ///< $CONTAINERS_REGISTRIES_CONF_OVERRIDE: read last
  std::string user_directory = {};  ///< ~/.config/containers
  std::vector<std::string> system_directories = {};  ///< the administrator's, the distribution's
  unsigned user = 0;                                 ///< for directories of one user, or root
  std::string aliases_file = {};                     ///< short names that other tools recorded
};

/// The files that count, in the order in which they are read: the first main file there is, then
/// what lies in the `.d` directories, by name; of several files of one name the user's, then the
/// administrator's. A file that was asked for by name throws Error{not_found} if it is missing.
std::vector<std::string> registries_conf_files(const RegistriesConfPaths& paths);

/// All of those, merged, and the recorded short names.
RegistriesConf load_registries_conf(const RegistriesConfPaths& paths);

}  // namespace lade
