#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "libimage/config/registries_conf.h"
#include "libimage/name/reference.h"

namespace lade {

/// Where a repository's content may be.
struct RegistryPlace {
  std::string registry;
  std::string repository;
  bool insecure = false;
  RegistriesConf::PullFrom serves = RegistriesConf::PullFrom::all;
  std::string blocked_by = {};  ///< "registry X is blocked in FILE"; "": it may be asked
  bool operator==(const RegistryPlace&) const = default;
};
struct RegistryPlaces {
  RegistryPlace location;
  std::vector<RegistryPlace> mirrors = {};  ///< asked before it, in order, to read an image
  bool operator==(const RegistryPlaces&) const = default;
};

/// Where `conf` sends requests for `reference` (without a tag or digest: for "latest"). With an
/// empty repository, the registry itself: no mirrors, and its location is not changed. Throws
/// Error{invalid_content} naming the rule if it makes no valid name of the reference.
RegistryPlaces find_places(const RegistriesConf& conf, const Reference& reference);

/// The full names that an image called `name` may have, to be asked for in order; `name` itself
/// where it is no short name. An alias counts alone; else the search registries; without any, what
/// Docker means: docker.io. Throws Error{invalid_argument} where the configuration demands a choice
/// by the user.
std::vector<std::string> expand_short_name(const RegistriesConf& conf, const std::string& name);

}  // namespace lade
